"""The C++ that moves the AXI ports of a simulated accelerator, all of them at the same time."""

from __future__ import annotations

from systopack.verification.bench import Port, copy_port


def harness(image_bits: int, weight_bits: int = 0) -> str:
    """The host of one accelerator: queues for every channel, back-pressure, and watched rules.

    Args:
        image_bits: of a beat of the image stream.
        weight_bits: of a beat of the stream of weights; 0: there is none.
    """
    weights = Port(name="s_axis_weights_tdata", bits=weight_bits)
    image = Port(name="s_axis_image_tdata", bits=image_bits)
    return (
        _HARNESS.replace("BEAT_BYTES", str(image_bits // 8))
        .replace("IMAGE_WORDS", str(image.words))
        .replace("SEND_IMAGE", copy_port(image, "p", to_model=True))
        .replace("WEIGHT_WORDS", str(weights.words))
        .replace("SEND_WEIGHTS", copy_port(weights, "p", to_model=True) if weight_bits else "")
        .replace("WEIGHTS_PORT", "1" if weight_bits else "0")
    )


_HARNESS = """
#include <array>
#include <cstring>
#include <deque>
#include <vector>
#include "Vmodel.h"
#include "verilated.h"
double sc_time_stamp() { return 0; }
struct Request { uint32_t address, value, strobe; };
struct Beat { uint8_t bytes[BEAT_BYTES]; bool last; };
static VerilatedContext* context = nullptr;
static Vmodel* top = nullptr;
static std::deque<Request> write_queue, read_queue;
static std::deque<Beat> beats;
static std::vector<uint32_t> words;
static std::vector<uint8_t> lasts;
static bool address_sent, data_sent, request_sent;
static uint32_t answer, read_value, read_response, noise, back_pressure;
static long broken;
static bool held[3];  // offered and not taken: result, write answer, read answer
static uint64_t offered[3];
static std::deque<std::pair<std::array<uint32_t, WEIGHT_WORDS>, bool>> weight_beats;
static bool waits() {
  noise ^= noise << 13; noise ^= noise >> 17; noise ^= noise << 5;
  return back_pressure && (noise >> 7 & 3) == 0;
}
static void send(const uint32_t* p) { Vmodel& model = *top; SEND_IMAGE }
static void clear() {
  weight_beats.clear();
#if WEIGHTS_PORT
  top->s_axis_weights_tvalid = 0;
#endif
  write_queue.clear(); read_queue.clear(); beats.clear(); words.clear(); lasts.clear();
  address_sent = data_sent = request_sent = false;
  top->s_axi_awvalid = top->s_axi_wvalid = top->s_axi_arvalid = top->s_axis_image_tvalid = 0;
  memset(held, 0, sizeof held);
}
static uint64_t weights_ready() {
#if WEIGHTS_PORT
  return top->s_axis_weights_tready;
#else
  return 0;
#endif
}
static std::array<uint64_t, 10> outputs() {
  return {weights_ready(), top->s_axi_awready, top->s_axi_wready, top->s_axi_arready, top->s_axis_image_tready,
          (uint64_t)top->s_axi_bvalid << 2 | top->s_axi_bresp,
          (uint64_t)top->s_axi_rvalid << 2 | top->s_axi_rresp, top->s_axi_rdata,
          (uint64_t)top->m_axis_result_tvalid << 1 | top->m_axis_result_tlast,
          top->m_axis_result_tdata};
}
static void edge() { top->clk = 1; top->eval(); top->clk = 0; top->eval(); }
// With other inputs in the same cycle no output may change.
static void paths() {
  auto before = outputs();
  auto flip = [] {
    top->aresetn ^= 1; top->s_axi_awvalid ^= 1; top->s_axi_wvalid ^= 1; top->s_axi_bready ^= 1;
    top->s_axi_arvalid ^= 1; top->s_axi_rready ^= 1; top->s_axis_image_tvalid ^= 1;
#if WEIGHTS_PORT
    top->s_axis_weights_tvalid ^= 1; top->s_axis_weights_tlast ^= 1;
#endif
    top->s_axis_image_tlast ^= 1; top->m_axis_result_tready ^= 1; top->s_axi_awaddr ^= 0x2c;
    top->s_axi_araddr ^= 0x2c; top->s_axi_wdata ^= 3; top->s_axi_wstrb ^= 15; top->eval();
  };
  flip();
  if (outputs() != before) ++broken;
  flip();
}
static void watch(int channel, bool valid, bool ready, uint64_t word) {
  if (held[channel] && (!valid || word != offered[channel])) ++broken;
  held[channel] = valid && !ready;
  offered[channel] = word;
}
static void tick() {
  if (!write_queue.empty()) {
    const Request& request = write_queue.front();
    top->s_axi_awaddr = request.address;
    top->s_axi_wdata = request.value; top->s_axi_wstrb = request.strobe;
    if (!address_sent && !top->s_axi_awvalid) top->s_axi_awvalid = !waits();
    if (!data_sent && !top->s_axi_wvalid) top->s_axi_wvalid = !waits();
  }
  if (!read_queue.empty()) {
    top->s_axi_araddr = read_queue.front().address;
    if (!request_sent && !top->s_axi_arvalid) top->s_axi_arvalid = !waits();
  }
  if (!beats.empty()) {
    static uint32_t data[IMAGE_WORDS];
    memcpy(data, beats.front().bytes, BEAT_BYTES);
    send(data);
    top->s_axis_image_tlast = beats.front().last;
    if (!top->s_axis_image_tvalid) top->s_axis_image_tvalid = !waits();
  }
  bool fills = false;
#if WEIGHTS_PORT
  if (!weight_beats.empty()) {
    const uint32_t* p = weight_beats.front().first.data();
    Vmodel& model = *top; SEND_WEIGHTS
    top->s_axis_weights_tlast = weight_beats.front().second;
    if (!top->s_axis_weights_tvalid) top->s_axis_weights_tvalid = !waits();
  }
#endif
  top->s_axi_bready = !waits(); top->s_axi_rready = !waits();
  top->m_axis_result_tready = !waits();
  top->eval();
  paths();
  watch(0, top->m_axis_result_tvalid, top->m_axis_result_tready,
        (uint64_t)top->m_axis_result_tlast << 32 | top->m_axis_result_tdata);
  watch(1, top->s_axi_bvalid, top->s_axi_bready, top->s_axi_bresp);
  watch(2, top->s_axi_rvalid, top->s_axi_rready,
        (uint64_t)top->s_axi_rresp << 32 | top->s_axi_rdata);
  bool address = top->s_axi_awvalid && top->s_axi_awready;
  bool data = top->s_axi_wvalid && top->s_axi_wready;
  bool request = top->s_axi_arvalid && top->s_axi_arready;
  bool beat = top->s_axis_image_tvalid && top->s_axis_image_tready;
  bool answered = top->s_axi_bvalid && top->s_axi_bready;
  bool returned = top->s_axi_rvalid && top->s_axi_rready;
  if (answered) {
    if (write_queue.empty() || !address_sent || !data_sent) ++broken;  // nothing was asked
    answer = top->s_axi_bresp;
  }
  if (returned) {
    if (read_queue.empty() || !request_sent) ++broken;
    read_value = top->s_axi_rdata; read_response = top->s_axi_rresp;
  }
  if (top->m_axis_result_tvalid && top->m_axis_result_tready) {
    words.push_back(top->m_axis_result_tdata);
    lasts.push_back(top->m_axis_result_tlast);
  }
#if WEIGHTS_PORT
  fills = top->s_axis_weights_tvalid && top->s_axis_weights_tready;
#endif
  edge();
#if WEIGHTS_PORT
  if (fills) { weight_beats.pop_front(); top->s_axis_weights_tvalid = 0; }
#endif
  if (address) { address_sent = true; top->s_axi_awvalid = 0; }
  if (data) { data_sent = true; top->s_axi_wvalid = 0; }
  if (request) { request_sent = true; top->s_axi_arvalid = 0; }
  if (beat) { beats.pop_front(); top->s_axis_image_tvalid = 0; }
  if (answered && !write_queue.empty()) {
    write_queue.pop_front(); address_sent = data_sent = false;
  }
  if (returned && !read_queue.empty()) { read_queue.pop_front(); request_sent = false; }
}
extern "C" void begin(uint32_t seed) {
  delete top; delete context;
  context = new VerilatedContext; top = new Vmodel(context);
  back_pressure = seed; noise = seed * 2654435761u + 1; broken = 0;
  top->clk = 0; top->aresetn = 0; top->s_axi_awprot = 0; top->s_axi_arprot = 0;
  clear(); top->eval();
}
extern "C" void reset(long cycles) {
  clear(); top->aresetn = 0; top->eval();
  for (long i = 0; i < cycles; ++i) {
    edge();
    if (top->s_axi_bvalid || top->s_axi_rvalid || top->m_axis_result_tvalid) ++broken;
  }
  top->aresetn = 1; top->eval();
}
extern "C" void queue_write(uint32_t address, uint32_t value, uint32_t strobe) {
  write_queue.push_back({address, value, strobe});
}
extern "C" void queue_read(uint32_t address) { read_queue.push_back({address, 0, 0}); }
extern "C" void queue_image(const uint8_t* image, long count, int last) {
  for (long i = 0; i < count; ++i) {
    Beat beat;
    memcpy(beat.bytes, image + i * BEAT_BYTES, BEAT_BYTES);
    beat.last = last && i == count - 1;
    beats.push_back(beat);
  }
}
extern "C" void queue_weights(const uint32_t* words, long count, int last) {
  for (long i = 0; i < count; ++i) {
    std::array<uint32_t, WEIGHT_WORDS> beat{};
    for (int j = 0; j < WEIGHT_WORDS; ++j) beat[j] = words[i * WEIGHT_WORDS + j];
    weight_beats.push_back({beat, last && i == count - 1});
  }
}
extern "C" long weight_count() { return (long)weight_beats.size(); }
extern "C" int writing() { return !write_queue.empty(); }
extern "C" int reading() { return !read_queue.empty(); }
extern "C" int write_answer() { return answer; }
extern "C" uint32_t read_data() { return read_value; }
extern "C" int read_answer() { return read_response; }
extern "C" long violations() { return broken; }
extern "C" void advance(long cycles) { while (cycles-- > 0) tick(); }
extern "C" long beat_count() { return (long)beats.size(); }
extern "C" long word_count() { return (long)words.size(); }
extern "C" void take_words(uint32_t* to, uint8_t* last) {
  for (size_t i = 0; i < words.size(); ++i) { to[i] = words[i]; last[i] = lasts[i]; }
  words.clear(); lasts.clear();
}
extern "C" int take_image(uint32_t* to, long count, long limit) {
  while ((long)words.size() < count && limit-- > 0) tick();
  if ((long)words.size() < count) return 0;
  bool right = true;
  for (long i = 0; i < count; ++i) {
    to[i] = words[i];
    right = right && lasts[i] == (i == count - 1);
  }
  words.erase(words.begin(), words.begin() + count);
  lasts.erase(lasts.begin(), lasts.begin() + count);
  return right;
}
"""
