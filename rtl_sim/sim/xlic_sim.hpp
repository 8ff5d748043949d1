// A verilated accelerator with its memory and register bus, as a library for ctypes.
//
// The C functions below are the whole interface; xlic/accelerator/verilated.py is its other side.
// All return 0 for success where nothing else is said; after a failure xlic_sim_error tells why,
// and a simulation that died (an assertion of the RTL, logic that does not settle) stays dead.
#pragma once

#include "axi_memory.hpp"

extern "C" {

struct xlic_sim;

enum xlic_sim_status { XLIC_SIM_OK = 0, XLIC_SIM_TIMEOUT = 1, XLIC_SIM_DEAD = 2 };

// Raised with every change of this interface; checked by the other side.
uint32_t xlic_sim_interface();

// Without reset yet. Registers and memories of the RTL that no reset sets begin at values drawn from
// `seed`, as a 2-state simulator has no X to show.
xlic_sim *xlic_sim_new(uint32_t seed);
void xlic_sim_free(xlic_sim *);
const char *xlic_sim_error(xlic_sim *);

// The memory that both ports share; it must outlive the simulation.
void xlic_sim_memory(xlic_sim *, uint8_t *memory, uint64_t bytes);
void xlic_sim_timing(xlic_sim *, uint32_t port, const xlic::Timing *);
void xlic_sim_window(xlic_sim *, uint32_t port, const xlic::Window *);
void xlic_sim_fault(xlic_sim *, uint32_t port, const xlic::Fault *);
void xlic_sim_traffic(xlic_sim *, uint32_t port, xlic::Traffic *, uint32_t clear);
uint64_t xlic_sim_open(xlic_sim *, uint32_t port);

// ap_rst_n low for so many cycles, then two more.
int xlic_sim_reset(xlic_sim *, uint32_t cycles);
int xlic_sim_write(xlic_sim *, uint32_t address, uint32_t value);
int xlic_sim_read(xlic_sim *, uint32_t address, uint32_t *value);
// Run until the interrupt is high, at most so many cycles (then XLIC_SIM_TIMEOUT).
int xlic_sim_run(xlic_sim *, uint64_t cycles);
// Run exactly so many cycles.
int xlic_sim_step(xlic_sim *, uint64_t cycles);
uint64_t xlic_sim_cycles(xlic_sim *);
uint32_t xlic_sim_interrupt(xlic_sim *);

// Violations of the protocol: how many, and the first.
uint64_t xlic_sim_findings(xlic_sim *);
const char *xlic_sim_first_finding(xlic_sim *);

// Whether waveforms were compiled in; record cycles first ... last to an FST file.
uint32_t xlic_sim_can_trace();
int xlic_sim_trace(xlic_sim *, const char *file, uint64_t first, uint64_t last);
}
