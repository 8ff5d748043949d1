#include "xlic_sim.hpp"

#include <memory>
#include <stdexcept>

#include "Vtop.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_fst_c.h"
#endif

// Verilator's own end the process; in a library they must not.
void vl_fatal(const char *file, int line, const char *, const char *message) {
  throw std::runtime_error(std::string(file) + ":" + std::to_string(line) + ": " + message);
}
void vl_stop(const char *file, int line, const char *scope) {
  vl_fatal(file, line, scope, "assertion failed, or $stop");
}

namespace {

using xlic::AxiMemory;
using xlic::MasterSide;

// The pin `interrupt`: Verilator renames what is a common word of C++.
#define INTERRUPT __SYM__interrupt

constexpr uint32_t REGISTER_CYCLES = 1000;  // for an answer on the register bus
constexpr uint32_t CONTROL = 0, IDLE = 1 << 2;  // as Vitis HLS lays them out

// Verilator's name for a 128-bit port is an array of 32-bit words.
void to_beat(xlic::Beat &beat, const VlWide<4> &wide) {
  std::memcpy(&beat, wide.data(), xlic::BEAT_BYTES);
}

// One function pair per port: the pins differ in name only.
#define XLIC_PORT(PORT)                                                                      \
  void sample_##PORT(const Vtop &top, MasterSide &m) {                                       \
    m.ar_valid = top.m_axi_##PORT##_ARVALID;                                                 \
    m.aw_valid = top.m_axi_##PORT##_AWVALID;                                                 \
    m.w_valid = top.m_axi_##PORT##_WVALID;                                                   \
    m.r_ready = top.m_axi_##PORT##_RREADY;                                                   \
    m.b_ready = top.m_axi_##PORT##_BREADY;                                                   \
    if (m.ar_valid) {                                                                        \
      m.ar = {top.m_axi_##PORT##_ARADDR, top.m_axi_##PORT##_ARLEN, top.m_axi_##PORT##_ARSIZE, \
              top.m_axi_##PORT##_ARBURST, top.m_axi_##PORT##_ARLOCK};                        \
    }                                                                                        \
    if (m.aw_valid) {                                                                        \
      m.aw = {top.m_axi_##PORT##_AWADDR, top.m_axi_##PORT##_AWLEN, top.m_axi_##PORT##_AWSIZE, \
              top.m_axi_##PORT##_AWBURST, top.m_axi_##PORT##_AWLOCK};                        \
    }                                                                                        \
    if (m.w_valid) {                                                                         \
      to_beat(m.w_data, top.m_axi_##PORT##_WDATA);                                           \
      m.w_strb = top.m_axi_##PORT##_WSTRB;                                                   \
      m.w_last = top.m_axi_##PORT##_WLAST;                                                   \
    }                                                                                        \
  }                                                                                          \
  void drive_##PORT(Vtop &top, const xlic::SlaveSide &s) {                                   \
    top.m_axi_##PORT##_ARREADY = s.ar_ready;                                                 \
    top.m_axi_##PORT##_AWREADY = s.aw_ready;                                                 \
    top.m_axi_##PORT##_WREADY = s.w_ready;                                                   \
    top.m_axi_##PORT##_RVALID = s.r_valid;                                                   \
    top.m_axi_##PORT##_BVALID = s.b_valid;                                                   \
    if (s.r_valid) {                                                                         \
      std::memcpy(top.m_axi_##PORT##_RDATA.data(), &s.r_data, xlic::BEAT_BYTES);             \
      top.m_axi_##PORT##_RRESP = s.r_resp;                                                   \
      top.m_axi_##PORT##_RLAST = s.r_last;                                                   \
    }                                                                                        \
    if (s.b_valid) top.m_axi_##PORT##_BRESP = s.b_resp;                                      \
  }
XLIC_PORT(gmem0)
XLIC_PORT(gmem1)
#undef XLIC_PORT

std::unique_ptr<VerilatedContext> make_context(uint32_t seed) {
  auto context = std::make_unique<VerilatedContext>();
  context->randReset(2);  // registers without reset: random
  context->randSeed(static_cast<int>(seed & 0x7FFFFFFF));
#if VM_TRACE
  context->traceEverOn(true);
#endif
  return context;
}

}  // namespace

struct xlic_sim {
  explicit xlic_sim(uint32_t seed)
      : context(make_context(seed)),
        top(context.get()),
        ports{AxiMemory("m_axi_gmem0", findings), AxiMemory("m_axi_gmem1", findings)} {
    top.ap_clk = 0;
    top.ap_rst_n = 0;
    top.eval();
  }
  ~xlic_sim() {
#if VM_TRACE
    stop_trace();
#endif
    // Final blocks may hold assertions too.
    try {
      top.final();
    } catch (const std::exception &) {
    }
  }

  void cycle() {
    sample_gmem0(top, masters[0]);
    sample_gmem1(top, masters[1]);
    top.ap_clk = 1;
    top.eval();
    now++;
#if VM_TRACE
    if (trace) dump(2 * now);
#endif
    if (top.ap_rst_n) {
      ports[0].edge(now, masters[0]);
      ports[1].edge(now, masters[1]);
    }
    drive_gmem0(top, ports[0].out);
    drive_gmem1(top, ports[1].out);
    top.ap_clk = 0;
    top.eval();
#if VM_TRACE
    if (trace) dump(2 * now + 1);
#endif
  }

  void reset(uint32_t cycles) {
    top.ap_rst_n = 0;
    top.s_axi_control_AWVALID = top.s_axi_control_WVALID = top.s_axi_control_ARVALID = 0;
    top.s_axi_control_BREADY = top.s_axi_control_RREADY = 0;
    for (auto &port : ports) port.reset();
    for (uint32_t i = 0; i < cycles; i++) cycle();
    // The design has had its clock edges: by now it must be quiet.
    sample_gmem0(top, masters[0]);
    sample_gmem1(top, masters[1]);
    for (int i = 0; i < 2; i++) ports[i].check_reset(now, masters[i]);
    if (top.s_axi_control_RVALID || top.s_axi_control_BVALID) {
      findings.add(now, "s_axi_control", "RVALID or BVALID in reset");
    }
    top.ap_rst_n = 1;
    top.eval();
    cycle();
    cycle();
  }

  void write(uint32_t address, uint32_t value) {
    top.s_axi_control_AWADDR = address;
    top.s_axi_control_AWVALID = 1;
    top.s_axi_control_WDATA = value;
    top.s_axi_control_WSTRB = 0xF;
    top.s_axi_control_WVALID = 1;
    top.s_axi_control_BREADY = 1;
    for (uint32_t i = 0; i < REGISTER_CYCLES; i++) {
      top.eval();
      const bool address_taken = top.s_axi_control_AWVALID && top.s_axi_control_AWREADY;
      const bool data_taken = top.s_axi_control_WVALID && top.s_axi_control_WREADY;
      const bool done = top.s_axi_control_BVALID;
      const unsigned response = top.s_axi_control_BRESP;
      cycle();
      if (address_taken) top.s_axi_control_AWVALID = 0;
      if (data_taken) top.s_axi_control_WVALID = 0;
      if (done) {
        top.s_axi_control_BREADY = 0;
        top.eval();
        if (response) findings.add(now, "s_axi_control", "BRESP %u at 0x%x", response, address);
        return;
      }
    }
    throw std::runtime_error("the register bus did not answer a write");
  }

  uint32_t read(uint32_t address) {
    top.s_axi_control_ARADDR = address;
    top.s_axi_control_ARVALID = 1;
    top.s_axi_control_RREADY = 1;
    for (uint32_t i = 0; i < REGISTER_CYCLES; i++) {
      top.eval();
      const bool taken = top.s_axi_control_ARVALID && top.s_axi_control_ARREADY;
      const bool done = top.s_axi_control_RVALID;
      const uint32_t value = top.s_axi_control_RDATA;
      const unsigned response = top.s_axi_control_RRESP;
      cycle();
      if (taken) top.s_axi_control_ARVALID = 0;
      if (done) {
        top.s_axi_control_RREADY = 0;
        top.eval();
        if (response) findings.add(now, "s_axi_control", "RRESP %u at 0x%x", response, address);
        if (address == CONTROL && value & IDLE) none_open("idle");
        return value;
      }
    }
    throw std::runtime_error("the register bus did not answer a read");
  }

  bool run(uint64_t cycles) {
    if (top.INTERRUPT) return true;
    for (uint64_t i = 0; i < cycles; i++) {
      cycle();
      if (top.INTERRUPT) {
        // Of memory that does not answer the end may be told; idle it is not before the answer.
        if (!ports[0].hung() && !ports[1].hung()) none_open("interrupt");
        return true;
      }
    }
    return false;
  }

  void none_open(const char *what) {
    for (int p = 0; p < 2; p++) {
      if (ports[p].open()) {
        findings.add(now, p ? "m_axi_gmem1" : "m_axi_gmem0", "%s while %u transactions are open",
                     what, (unsigned)ports[p].open());
      }
    }
  }

#if VM_TRACE
  void dump(uint64_t time) {
    if (now < trace_first) return;
    if (now > trace_last) {
      stop_trace();
    } else {
      trace->dump(time);
    }
  }
  void stop_trace() {
    if (trace) trace->close();
    trace.reset();
  }
  std::unique_ptr<VerilatedFstC> trace;
  uint64_t trace_first = 0, trace_last = 0;
#endif

  std::unique_ptr<VerilatedContext> context;
  Vtop top;
  xlic::Findings findings;
  AxiMemory ports[2];
  MasterSide masters[2] = {};
  uint64_t now = 0;
  std::string error;
  bool dead = false;
};

namespace {

// Nothing may be thrown into Python.
template <typename Action>
int guarded(xlic_sim *sim, Action action) {
  if (sim->dead) return XLIC_SIM_DEAD;
  try {
    return action();
  } catch (const std::exception &error) {
    sim->error = error.what();
    sim->dead = true;
#if VM_TRACE
    sim->stop_trace();
#endif
    return XLIC_SIM_DEAD;
  }
}

}  // namespace

uint32_t xlic_sim_interface() { return 1; }

xlic_sim *xlic_sim_new(uint32_t seed) {
  try {
    return new xlic_sim(seed);
  } catch (const std::exception &) {
    return nullptr;
  }
}
void xlic_sim_free(xlic_sim *sim) { delete sim; }
const char *xlic_sim_error(xlic_sim *sim) { return sim->error.c_str(); }

void xlic_sim_memory(xlic_sim *sim, uint8_t *memory, uint64_t bytes) {
  for (auto &port : sim->ports) port.attach(memory, bytes);
}
void xlic_sim_timing(xlic_sim *sim, uint32_t port, const xlic::Timing *timing) {
  sim->ports[port].set_timing(*timing);
}
void xlic_sim_window(xlic_sim *sim, uint32_t port, const xlic::Window *window) {
  sim->ports[port].window = *window;
}
void xlic_sim_fault(xlic_sim *sim, uint32_t port, const xlic::Fault *fault) {
  sim->ports[port].fault = *fault;
}
void xlic_sim_traffic(xlic_sim *sim, uint32_t port, xlic::Traffic *traffic, uint32_t clear) {
  *traffic = sim->ports[port].traffic;
  if (clear) sim->ports[port].traffic = {};
}
uint64_t xlic_sim_open(xlic_sim *sim, uint32_t port) { return sim->ports[port].open(); }

int xlic_sim_reset(xlic_sim *sim, uint32_t cycles) {
  return guarded(sim, [&] {
    sim->reset(cycles);
    return XLIC_SIM_OK;
  });
}
int xlic_sim_write(xlic_sim *sim, uint32_t address, uint32_t value) {
  return guarded(sim, [&] {
    sim->write(address, value);
    return XLIC_SIM_OK;
  });
}
int xlic_sim_read(xlic_sim *sim, uint32_t address, uint32_t *value) {
  return guarded(sim, [&] {
    *value = sim->read(address);
    return XLIC_SIM_OK;
  });
}
int xlic_sim_run(xlic_sim *sim, uint64_t cycles) {
  return guarded(sim, [&] { return sim->run(cycles) ? XLIC_SIM_OK : XLIC_SIM_TIMEOUT; });
}
int xlic_sim_step(xlic_sim *sim, uint64_t cycles) {
  return guarded(sim, [&] {
    for (uint64_t i = 0; i < cycles; i++) sim->cycle();
    return XLIC_SIM_OK;
  });
}
uint64_t xlic_sim_cycles(xlic_sim *sim) { return sim->now; }
uint32_t xlic_sim_interrupt(xlic_sim *sim) { return sim->top.INTERRUPT; }

uint64_t xlic_sim_findings(xlic_sim *sim) { return sim->findings.count(); }
const char *xlic_sim_first_finding(xlic_sim *sim) { return sim->findings.first().c_str(); }

#if VM_TRACE
uint32_t xlic_sim_can_trace() { return 1; }
int xlic_sim_trace(xlic_sim *sim, const char *file, uint64_t first, uint64_t last) {
  return guarded(sim, [&] {
    sim->stop_trace();
    sim->trace = std::make_unique<VerilatedFstC>();
    sim->top.trace(sim->trace.get(), 99);
    sim->trace->open(file);
    sim->trace_first = first;
    sim->trace_last = last;
    return XLIC_SIM_OK;
  });
}
#else
uint32_t xlic_sim_can_trace() { return 0; }
int xlic_sim_trace(xlic_sim *, const char *, uint64_t, uint64_t) { return XLIC_SIM_DEAD; }
#endif
