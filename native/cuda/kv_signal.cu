// What is known of the keys of a context: how much some queries read them, how long they are, which
// of them are alike. One block of threads per layer and KV head; each thread takes whole keys.

#include "cuda/device/kv_block.h"
#include "cuda/device/prepared.h"
#include "cuda/device/reduce.h"
#include "cuda/launchers.h"

namespace cachalot::cuda {

namespace {

constexpr float kNone = -INFINITY;

/** The keys of one (layer, KV head). */
struct HeadView {
  const KvSignalArgs& args;
  int layer, head;
  HeadKeys before;

  SIMT_DEV HeadView(const KvSignalArgs& of, int layer_of, int head_of)
      : args(of), layer(layer_of), head(head_of), before{nullptr, 0} {
    if (args.before != nullptr) before = head_keys({args.edited, 0}, args.before, layer, head);
  }
  SIMT_DEV int n_keys() const { return before.n_keys + args.n_text; }
  SIMT_DEV const uint8_t* block(int key) const {
    const int text = key - before.n_keys;
    return text < 0 ? kv_block(args.edited, before.blocks[key / kTileTokens])
                    : kv_block(args.plain, args.slabs[text / kTileTokens], layer, head);
  }
  SIMT_DEV int slot(int key) const {
    const int text = key - before.n_keys;
    return (text < 0 ? key : text) % kTileTokens;
  }
  SIMT_DEV const KeyNotes& notes(int key) const {
    return *reinterpret_cast<const KeyNotes*>(block(key) + kv_notes_offset(args.edited.layout));
  }
  SIMT_DEV int index(int key) const {
    return key < before.n_keys ? notes(key).index[slot(key)]
                               : args.first_index + key - before.n_keys;
  }
  SIMT_DEV bool is_read(int key, int by) const {
    const int at = index(key);
    return at <= by && (args.window == 0 || at > by - args.window);
  }
  SIMT_DEV float weight(int key) const {
    return key < before.n_keys ? notes(key).weight[slot(key)] : 0.0f;
  }
  SIMT_DEV float element(int key, int d) const {
    return bf16_value(reinterpret_cast<const uint16_t*>(block(key))[key_element(slot(key), d)]);
  }
  SIMT_DEV float norm(int key) const {
    float sum = 0.0f;
    for (int d = 0; d < args.plain.layout.head_dim; d++) {
      const float x = element(key, d);
      sum = fmaf(x, x, sum);
    }
    return sqrtf(sum);
  }
};

/** Adds the probabilities with which a query reads the keys. */
SIMT_DEV void add_query(const HeadView& keys, const float* q, int index, float share, float* scores,
                        float* out) {
  const KvSignalArgs& args = keys.args;
  float mine = kNone;
  for (int key = threadIdx.x; key < keys.n_keys(); key += kReduceThreads) {
    float score = kNone;
    if (keys.is_read(key, index)) {
      float sum = 0.0f;
      for (int d = 0; d < args.plain.layout.head_dim; d++)
        sum = fmaf(q[d], keys.element(key, d), sum);
      score = sum * args.scale_log2 + keys.weight(key);
    }
    scores[key] = score;
    mine = fmaxf(mine, score);
  }
  const float max = max_of_block(mine);
  float part = 0.0f;
  for (int key = threadIdx.x; key < keys.n_keys(); key += kReduceThreads) {
    scores[key] = scores[key] == kNone ? 0.0f : exp2f(scores[key] - max);
    part += scores[key];
  }
  const float sum = sum_of_block(part);
  if (sum == 0.0f) return;  // it reads no key; a sum of NaN is added
  const float factor = share / sum;
  for (int key = threadIdx.x; key < keys.n_keys(); key += kReduceThreads) {
    if (keys.is_read(key, index)) out[key] += factor * scores[key];
  }
}

/** Counts a row for the keys of which it reads less than if it read all alike. */
SIMT_DEV void count_seldom(const HeadView& keys, int index, float* shares, float* out) {
  float mine = 0.0f;
  for (int key = threadIdx.x; key < keys.n_keys(); key += kReduceThreads)
    mine += keys.is_read(key, index) ? 1.0f : 0.0f;
  const float equal = 1.0f / sum_of_block(mine);
  for (int key = threadIdx.x; key < keys.n_keys(); key += kReduceThreads) {
    if (!keys.is_read(key, index)) continue;
    const float share = shares[key];
    out[key] += share < equal ? 1.0f : share - share;  // a share of NaN stays one
    shares[key] = 0.0f;
  }
}

/** `workspace`: the scores of a query, then the shares of a row. */
SIMT_DEV void read_rows(const HeadView& keys, float* workspace, float* out) {
  const KvSignalArgs& args = keys.args;
  const bool counts = args.signal == KeySignal::kSeldom;
  float* shares = counts ? workspace + args.n_keys : out;
  const int group = args.n_heads / args.plain.n_kv_heads, head_dim = args.plain.layout.head_dim;
  for (int key = threadIdx.x; key < keys.n_keys(); key += kReduceThreads)
    out[key] = shares[key] = 0.0f;
  for (int row = 0; row < args.n_rows; row++) {
    const int index = args.first_row + row * args.row_stride;
    for (int i = 0; i < group; i++) {
      const int64_t at = row * (args.layer_stride / args.n_rows) +
                         static_cast<int64_t>(keys.head * group + i) * head_dim;
      add_query(keys, args.queries + keys.layer * args.layer_stride + at, index,
                1.0f / static_cast<float>(group), workspace, shares);
    }
    if (counts) count_seldom(keys, index, shares, out);
  }
}

/** Of a key of a chunk that is no centre: the centre that is most like it. */
SIMT_DEV void match_key(const HeadView& keys, int key, int begin, int end, const float* norms,
                        float* out) {
  const int stride = keys.args.match.stride, n_centres = (end - begin) / stride;
  out[key] = -2.0f;
  out[keys.args.n_keys + key] = -1.0f;
  const int place = key - begin;
  if (n_centres == 0 || (place % stride == stride - 1 && place / stride < n_centres)) return;
  float best = kNone;
  int with = -1;
  for (int i = 0; i < n_centres; i++) {
    const int centre = begin + (i + 1) * stride - 1;
    float sum = 0.0f;
    for (int d = 0; d < keys.args.plain.layout.head_dim; d++)
      sum = fmaf(keys.element(key, d), keys.element(centre, d), sum);
    const float length = norms[key] * norms[centre];
    const float cosine = length == 0.0f ? 0.0f : sum / length;
    if (with < 0 || cosine > best) {
      best = cosine;
      with = centre;
    }
  }
  out[key] = best;
  out[keys.args.n_keys + key] = static_cast<float>(with);
}

SIMT_DEV void match_keys(const HeadView& keys, float* norms, float* out) {
  const MatchShape& match = keys.args.match;
  for (int key = threadIdx.x; key < keys.n_keys(); key += kReduceThreads)
    norms[key] = keys.norm(key);
  __syncthreads();
  const int last = keys.n_keys() - match.last;
  for (int key = threadIdx.x; key < keys.n_keys(); key += kReduceThreads) {
    if (key < match.first || key >= last) {
      out[key] = -2.0f;
      out[keys.args.n_keys + key] = -1.0f;
      continue;
    }
    const int begin = match.first + (key - match.first) / match.chunk * match.chunk;
    match_key(keys, key, begin, min(last, begin + match.chunk), norms, out);
  }
}

__global__ void __launch_bounds__(kReduceThreads) kv_signal_kernel(KvSignalArgs args) {
  const int n_kv_heads = args.plain.n_kv_heads;
  const HeadView keys(args, blockIdx.x / n_kv_heads, blockIdx.x % n_kv_heads);
  float* workspace = args.workspace + static_cast<int64_t>(blockIdx.x) * 2 * args.n_keys;
  float* out = args.out + static_cast<int64_t>(blockIdx.x) * n_planes(args.signal) * args.n_keys;
  if (args.signal == KeySignal::kAttention || args.signal == KeySignal::kSeldom)
    return read_rows(keys, workspace, out);
  if (args.signal == KeySignal::kMatch) return match_keys(keys, workspace, out);
  for (int key = threadIdx.x; key < keys.n_keys(); key += kReduceThreads) out[key] = keys.norm(key);
}

}  // namespace

void kv_signal(const LaunchContext& context, const KvSignalArgs& args) {
  simt::launch(kv_signal_kernel, dim3(args.plain.n_layers * args.plain.n_kv_heads),
               dim3(kReduceThreads), 0, context.stream, args);
}

}  // namespace cachalot::cuda
