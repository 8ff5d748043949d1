// A memory behind one AXI4 port, 128 bit: timing, faults, and a watch on the protocol.
//
// The model is stepped once per clock edge with the handshakes sampled before the edge, and says
// what it drives after it; everything it drives comes from registers, as in real interconnects.
// It answers in order, however many bursts are under way. It is as unkind as AXI allows: data of
// a read are taken from memory when they are handed over, data of a write arrive there only when
// the write is answered. A master that reads before the answer, or overwrites what it still
// reads, gets what such a master deserves.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace xlic {

constexpr unsigned BEAT_BYTES = 16;
constexpr uint64_t NEVER = ~uint64_t{0};

struct Beat {
  uint64_t half[2];
};

// The following four are read and written from Python (ctypes): plain 64-bit fields only.

struct Timing {
  uint64_t read_latency;     // cycles from an accepted read address to its first beat
  uint64_t write_latency;    // cycles from the last accepted beat to the response
  uint64_t bytes_per_cycle;  // per direction, 1 ... 16
  uint64_t outstanding;      // bursts per direction before addresses are held up, 1 ... 256
  uint64_t stall_ar, stall_r, stall_aw, stall_w, stall_b;  // one cycle in that many; 0: none
  uint64_t seed;             // of the stalls
};

struct Window {
  uint64_t base;                      // address of the first byte of memory on this port
  uint64_t read_begin, read_end;      // bytes of memory that may be read
  uint64_t write_begin, write_end;    // bytes of memory that may be written
};

struct Fault {
  uint64_t read_begin, read_end, read_response;     // beats in this range answer so
  uint64_t write_begin, write_end, write_response;  // bursts that touch this range answer so
  uint64_t hang_after_reads, hang_after_writes;     // beats after which nothing is answered
};

struct Traffic {
  uint64_t read_bursts, read_beats, write_bursts, write_beats;
  uint64_t most_reads, most_writes;  // bursts under way at once
};

// Findings: how many, and the text of the first.
class Findings {
 public:
  void add(uint64_t cycle, const char *port, const char *format, ...)
      __attribute__((format(printf, 4, 5))) {
    if (count_++) return;
    char text[256], line[352];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    std::snprintf(line, sizeof line, "cycle %llu, %s: %s", (unsigned long long)cycle, port, text);
    first_ = line;
  }
  uint64_t count() const { return count_; }
  const std::string &first() const { return first_; }

 private:
  uint64_t count_ = 0;
  std::string first_;
};

// What the master drives, sampled just before a clock edge.
struct Address {
  uint64_t addr;
  uint32_t len, size, burst, lock;
  bool operator==(const Address &o) const {
    return addr == o.addr && len == o.len && size == o.size && burst == o.burst && lock == o.lock;
  }
};
struct MasterSide {
  bool ar_valid, aw_valid, w_valid, r_ready, b_ready;
  Address ar, aw;
  Beat w_data;
  uint32_t w_strb;
  bool w_last;
};
// What the memory drives.
struct SlaveSide {
  bool ar_ready, aw_ready, w_ready, r_valid, b_valid;
  Beat r_data;
  uint32_t r_resp, b_resp;
  bool r_last;
};

class AxiMemory {
 public:
  AxiMemory(const char *name, Findings &findings) : name_(name), findings_(findings) {
    reset();
  }

  Window window{};
  Fault fault{0, 0, 0, 0, 0, 0, NEVER, NEVER};
  Traffic traffic{};
  SlaveSide out{};

  void set_timing(const Timing &timing) {
    timing_ = timing;
    random_ = timing.seed * 0x9E3779B97F4A7C15u | 1;
  }

  // Memory, `bytes` of it, shared with whoever else holds the pointer.
  void attach(uint8_t *memory, uint64_t bytes) {
    memory_ = memory;
    bytes_ = bytes;
  }

  // Forget all transactions, as the reset of the interconnect does.
  void reset() {
    out = {};
    read_first_ = read_next_ = read_beat_ = 0;
    burst_first_ = burst_fill_ = burst_next_ = 0;
    beat_first_ = beat_fill_ = beat_next_ = 0;
    fill_index_ = 0;
    ar_held_ = aw_held_ = w_held_ = false;
    read_tokens_ = write_tokens_ = 0;
  }

  // Bursts whose address is offered or accepted and which are not finished.
  uint64_t open() const {
    return (read_next_ - read_first_) + (burst_next_ - burst_first_) + ar_held_ + aw_held_ +
           (beat_next_ != beat_fill_) + out.b_valid;
  }

  // Whether a fault keeps it from answering: a master cannot bring its bursts to an end then.
  bool hung() const { return reads_hang() || writes_hang(); }

  // Before a clock edge in reset: masters must keep quiet.
  void check_reset(uint64_t now, const MasterSide &m) {
    if (m.ar_valid || m.aw_valid || m.w_valid) {
      findings_.add(now, name_, "%s in reset",
                    m.ar_valid ? "ARVALID" : m.aw_valid ? "AWVALID" : "WVALID");
    }
  }

  // One clock edge, the `now`-th.
  void edge(uint64_t now, const MasterSide &m) {
    hold_checks(now, m);
    read_edge(now, m);
    write_edge(now, m);
  }

 private:
  static constexpr unsigned MAX_BURSTS = 256, MAX_BEATS = 8192, AHEAD = 16;

  struct Read {
    uint64_t addr, due;
    uint32_t beats;
  };
  struct Write {
    uint64_t addr, due, first_beat;
    uint32_t beats;
  };
  struct WriteBeat {
    Beat data;
    uint32_t strb;
    bool last;
  };

  bool reads_hang() const { return traffic.read_beats + out.r_valid >= fault.hang_after_reads; }
  bool writes_hang() const { return traffic.write_beats >= fault.hang_after_writes; }

  // --- the master's side of the protocol ---

  void hold_checks(uint64_t now, const MasterSide &m) {
    if (ar_held_) held_address(now, "AR", m.ar_valid, m.ar, ar_seen_);
    if (aw_held_) held_address(now, "AW", m.aw_valid, m.aw, aw_seen_);
    if (w_held_) {
      if (!m.w_valid) {
        findings_.add(now, name_, "WVALID withdrawn before WREADY");
      } else if (std::memcmp(&m.w_data, &w_seen_.data, BEAT_BYTES) || m.w_strb != w_seen_.strb ||
                 m.w_last != w_seen_.last) {
        findings_.add(now, name_, "write data changed before WREADY");
      }
    }
    ar_held_ = m.ar_valid && !out.ar_ready;
    aw_held_ = m.aw_valid && !out.aw_ready;
    w_held_ = m.w_valid && !out.w_ready;
    if (ar_held_) ar_seen_ = m.ar;
    if (aw_held_) aw_seen_ = m.aw;
    if (w_held_) w_seen_ = {m.w_data, m.w_strb, m.w_last};
  }

  void held_address(uint64_t now, const char *channel, bool valid, const Address &a,
                    const Address &seen) {
    if (!valid) {
      findings_.add(now, name_, "%sVALID withdrawn before %sREADY", channel, channel);
    } else if (!(a == seen)) {
      findings_.add(now, name_, "%s payload changed before %sREADY (address 0x%llx, was 0x%llx)",
                    channel, channel, (unsigned long long)a.addr, (unsigned long long)seen.addr);
    }
  }

  void check_address(uint64_t now, const char *channel, const Address &a, uint64_t begin,
                     uint64_t end) {
    const uint64_t last = a.addr + uint64_t{a.len} * BEAT_BYTES;
    const auto addr = (unsigned long long)a.addr;
    if (a.burst != 1) {
      findings_.add(now, name_, "%sBURST %u, must be INCR (1)", channel, a.burst);
    }
    if (a.size != 4) {
      findings_.add(now, name_, "%sSIZE %u, must be 16 bytes (4)", channel, a.size);
    }
    if (a.lock) findings_.add(now, name_, "%sLOCK %u, must be 0", channel, a.lock);
    if (a.addr % BEAT_BYTES) {
      findings_.add(now, name_, "%sADDR 0x%llx is no multiple of 16", channel, addr);
    }
    if (a.addr / 4096 != last / 4096) {
      findings_.add(now, name_, "%s burst of %u beats at 0x%llx crosses a 4 KB boundary", channel,
                    a.len + 1, addr);
    }
    const uint64_t offset = a.addr - window.base;
    if (a.addr < window.base || offset < begin || offset + (a.len + 1) * BEAT_BYTES > end) {
      findings_.add(now, name_, "%s burst of %u beats at 0x%llx leaves the window 0x%llx ... 0x%llx",
                    channel, a.len + 1, addr, (unsigned long long)(window.base + begin),
                    (unsigned long long)(window.base + end));
    }
  }

  // --- reading ---

  void read_edge(uint64_t now, const MasterSide &m) {
    if (m.ar_valid && out.ar_ready) {
      check_address(now, "AR", m.ar, window.read_begin, window.read_end);
      reads_[read_next_++ % MAX_BURSTS] = {m.ar.addr, now + timing_.read_latency - 1, m.ar.len + 1};
      traffic.read_bursts++;
      raise(traffic.most_reads, read_next_ - read_first_);
    }
    if (out.r_valid && m.r_ready) {
      traffic.read_beats++;
      out.r_valid = false;
      if (out.r_last) read_first_++;
    }
    const bool hung = reads_hang();
    refill(read_tokens_);
    if (!out.r_valid && read_first_ != read_next_ && !hung && read_tokens_ >= BEAT_BYTES &&
        reads_[read_first_ % MAX_BURSTS].due <= now && !stalled(timing_.stall_r)) {
      present_read(reads_[read_first_ % MAX_BURSTS]);
    }
    out.ar_ready = !hung && read_next_ - read_first_ < timing_.outstanding &&
                   !stalled(timing_.stall_ar);
  }

  void present_read(const Read &read) {
    const uint64_t addr = read.addr + uint64_t{read_beat_} * BEAT_BYTES;
    const uint64_t offset = addr - window.base;
    out.r_valid = true;
    out.r_last = ++read_beat_ == read.beats;
    if (out.r_last) read_beat_ = 0;
    read_tokens_ -= BEAT_BYTES;
    const bool mapped = addr >= window.base && offset + BEAT_BYTES <= bytes_;
    if (mapped) {
      std::memcpy(&out.r_data, memory_ + offset, BEAT_BYTES);
    } else {
      std::memset(&out.r_data, 0xA5, BEAT_BYTES);
    }
    const bool faulty = offset + BEAT_BYTES > fault.read_begin && offset < fault.read_end;
    out.r_resp = !mapped ? 3 : faulty ? (uint32_t)fault.read_response : 0;
  }

  // --- writing ---

  void write_edge(uint64_t now, const MasterSide &m) {
    if (m.aw_valid && out.aw_ready) {
      check_address(now, "AW", m.aw, window.write_begin, window.write_end);
      bursts_[burst_next_++ % MAX_BURSTS] = {m.aw.addr, NEVER, 0, m.aw.len + 1};
      traffic.write_bursts++;
      raise(traffic.most_writes, burst_next_ - burst_first_);
    }
    if (m.w_valid && out.w_ready) {
      if (m.w_strb != 0xFFFF && m.w_strb != 0) {
        findings_.add(now, name_, "WSTRB 0x%04x: beats are written whole, or not at all", m.w_strb);
      }
      beats_[beat_next_++ % MAX_BEATS] = {m.w_data, m.w_strb, m.w_last};
      traffic.write_beats++;
      write_tokens_ -= BEAT_BYTES;
    }
    refill(write_tokens_);
    while (beat_fill_ != beat_next_ && burst_fill_ != burst_next_) fill(now);
    if (beat_next_ - beat_fill_ >= AHEAD && m.w_valid && !m.aw_valid) {
      findings_.add(now, name_, "%u beats of write data ahead of their address", AHEAD);
    }
    if (out.b_valid && m.b_ready) out.b_valid = false;
    const bool hung = writes_hang();
    // Bursts that have all their data are answered in order.
    if (!out.b_valid && burst_first_ != burst_fill_ && !hung &&
        bursts_[burst_first_ % MAX_BURSTS].due <= now && !stalled(timing_.stall_b)) {
      answer(bursts_[burst_first_ % MAX_BURSTS]);
      burst_first_++;
    }
    out.aw_ready = !hung && burst_next_ - burst_first_ < timing_.outstanding &&
                   !stalled(timing_.stall_aw);
    // Room for what earlier addresses announce, and a little ahead of their address.
    const bool ahead = burst_fill_ == burst_next_ && beat_next_ - beat_fill_ >= AHEAD;
    out.w_ready = !hung && write_tokens_ >= BEAT_BYTES && !ahead &&
                  beat_next_ - beat_first_ < MAX_BEATS && !stalled(timing_.stall_w);
  }

  // Give the oldest beat that has no burst yet to the oldest burst that wants one.
  void fill(uint64_t now) {
    Write &burst = bursts_[burst_fill_ % MAX_BURSTS];
    if (fill_index_ == 0) burst.first_beat = beat_fill_;
    const bool last = ++fill_index_ == burst.beats;
    if (beats_[beat_fill_ % MAX_BEATS].last != last) {
      findings_.add(now, name_, last ? "WLAST missing on beat %u of %u" : "WLAST on beat %u of %u",
                    fill_index_, burst.beats);
    }
    beat_fill_++;
    if (last) {
      burst.due = now + timing_.write_latency - 1;
      burst_fill_++;
      fill_index_ = 0;
    }
  }

  void answer(const Write &burst) {
    const uint64_t offset = burst.addr - window.base, bytes = uint64_t{burst.beats} * BEAT_BYTES;
    const bool mapped = burst.addr >= window.base && offset + bytes <= bytes_ &&
                        offset >= window.write_begin && offset + bytes <= window.write_end;
    const bool faulty = offset + bytes > fault.write_begin && offset < fault.write_end;
    out.b_valid = true;
    out.b_resp = !mapped ? 3 : faulty ? (uint32_t)fault.write_response : 0;
    if (out.b_resp == 0) {
      for (uint64_t i = 0; i < burst.beats; i++) {
        store(memory_ + offset + i * BEAT_BYTES, beats_[(burst.first_beat + i) % MAX_BEATS]);
      }
    }
    beat_first_ = burst.first_beat + burst.beats;
  }

  static void store(uint8_t *to, const WriteBeat &beat) {
    if (beat.strb == 0xFFFF) {
      std::memcpy(to, &beat.data, BEAT_BYTES);
      return;
    }
    const auto *from = reinterpret_cast<const uint8_t *>(&beat.data);
    for (unsigned i = 0; i < BEAT_BYTES; i++) {
      if (beat.strb >> i & 1) to[i] = from[i];
    }
  }

  // --- timing ---

  // A bucket of bytes: bandwidth below one beat per cycle, without bursts above it.
  void refill(uint64_t &tokens) const {
    tokens += timing_.bytes_per_cycle;
    const uint64_t most = BEAT_BYTES + timing_.bytes_per_cycle - 1;
    if (tokens > most) tokens = most;
  }

  bool stalled(uint64_t one_in) {
    if (!one_in) return false;
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return ((random_ >> 32) * one_in >> 32) == 0;
  }

  static void raise(uint64_t &most, uint64_t value) {
    if (value > most) most = value;
  }

  const char *name_;
  Findings &findings_;
  Timing timing_{60, 30, 16, 16, 0, 0, 0, 0, 0, 1};
  uint8_t *memory_ = nullptr;
  uint64_t bytes_ = 0;

  // Rings: positions only grow, entries lie at position mod size.
  Read reads_[MAX_BURSTS];
  uint64_t read_first_, read_next_;
  uint32_t read_beat_;
  Write bursts_[MAX_BURSTS];  // first: to be answered next; fill: takes data; next: free
  uint64_t burst_first_, burst_fill_, burst_next_;
  std::vector<WriteBeat> beats_ = std::vector<WriteBeat>(MAX_BEATS);
  uint64_t beat_first_, beat_fill_, beat_next_;
  uint32_t fill_index_;

  bool ar_held_, aw_held_, w_held_;
  Address ar_seen_, aw_seen_;
  WriteBeat w_seen_;
  uint64_t read_tokens_, write_tokens_, random_ = 1;
};

}  // namespace xlic
