// What is known of the keys of a context: how much some queries read them, how long they are, which
// of them are alike. One (layer, KV head) is one piece of work, so threads change no bit.

#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/device/kv_block.h"
#include "cpu/ops.h"

namespace cachalot::cpu {

namespace {

constexpr int kQueriesAtOnce = 16;  // about so many scores of a key are held at a time

/** The keys of one (layer, KV head), as tiles of up to 32 keys. */
class HeadView {
 public:
  struct Tile {
    const uint8_t* keys;
    const KeyNotes* notes;  // null: tokens one after the other, from `index` on
    int first, n;           // the number of its first key, and how many there are
    int index;
  };

  HeadView(const KvSignalParams& params, int layer, int head) : layout_(params.plain.layout) {
    if (!params.before.empty()) {
      const HeadKeys keys = head_keys({params.edited, 0}, params.before.data(), layer, head);
      for (int i = 0; i * kTileTokens < keys.n_keys; i++) {
        const uint8_t* block = kv_block(params.edited, keys.blocks[i]);
        add(block, reinterpret_cast<const KeyNotes*>(block + kv_notes_offset(params.edited.layout)),
            keys.n_keys - i * kTileTokens, 0);
      }
    }
    for (int i = 0; i * kTileTokens < params.n_text; i++) {
      const uint32_t slab = params.slabs[static_cast<size_t>(i)];
      add(kv_block(params.plain, slab, layer, head), nullptr, params.n_text - i * kTileTokens,
          params.first_index + i * kTileTokens);
    }
  }

  int n_keys() const { return n_keys_; }
  const std::vector<Tile>& tiles() const { return tiles_; }
  /** How many keys are of tokens before `index`. */
  int n_before(int index) const {
    int n = 0;
    for (const Tile& tile : tiles_) {
      if (tile.notes == nullptr) n += std::clamp(index - tile.index, 0, tile.n);
      else
        n += static_cast<int>(
            std::lower_bound(tile.notes->index, tile.notes->index + tile.n, index) -
            tile.notes->index);
    }
    return n;
  }
  void read(int key, float* out) const {
    const Tile& tile = tile_of(key);
    for (int d = 0; d < layout_.head_dim; d++)
      out[d] = load_element(layout_.k, tile.keys, key_index(layout_, key - tile.first, d));
  }
  const Tile& tile_of(int key) const {
    return *std::prev(std::ranges::upper_bound(tiles_, key, {}, &Tile::first));
  }

 private:
  void add(const uint8_t* keys, const KeyNotes* notes, int n_left, int index) {
    const int n = std::min(n_left, kTileTokens);
    tiles_.push_back({keys, notes, n_keys_, n, index});
    n_keys_ += n;
  }

  KvLayout layout_;
  std::vector<Tile> tiles_;
  int n_keys_ = 0;
};

KeyScores scores_of(const KvSignalParams& params, const HeadView::Tile& tile, const float* queries,
                    int n_queries, float* scores, int64_t stride) {
  return {tile.keys,
          params.plain.layout.k,
          params.plain.layout.head_dim,
          queries,
          n_queries,
          1.0f,
          nullptr,
          scores,
          stride};
}

/** How some rows read the keys of a head: one row after the other, whatever is computed together.
 */
class RowReadings {
 public:
  RowReadings(const OpContext& context, const KvSignalParams& params, int layer, int head,
              const HeadView& keys)
      : context_(context),
        params_(params),
        queries_of_(params.queries + layer * params.layer_stride),
        head_(head),
        keys_(keys),
        group_(params.n_heads / params.plain.n_kv_heads),
        rows_at_once_(std::max(1, kQueriesAtOnce / group_)),
        stride_((keys.n_keys() / kTileTokens + 2) * kTileTokens),
        queries_(static_cast<size_t>(rows_at_once_ * group_ * params.plain.layout.head_dim)),
        scores_(static_cast<size_t>(rows_at_once_ * group_ * stride_)),
        shares_(static_cast<size_t>(keys.n_keys())) {}

  /** Adds to `out` what each row says of each key. */
  void add(float* out) {
    std::fill_n(out, keys_.n_keys(), 0.0f);
    for (int first = 0; first < params_.n_rows; first += rows_at_once_) {
      const int n = std::min(rows_at_once_, params_.n_rows - first);
      score_rows(first, n);
      for (int i = 0; i < n; i++) add_row(first + i, i, out);
    }
  }

 private:
  void score_rows(int first, int n) {
    const int head_dim = params_.plain.layout.head_dim;
    const int64_t row_stride = params_.layer_stride / params_.n_rows;
    for (int i = 0; i < n; i++) {
      const float* of_row = queries_of_ + (first + i) * row_stride;
      std::copy_n(of_row + int64_t{head_} * group_ * head_dim, group_ * head_dim,
                  queries_.data() + int64_t{i} * group_ * head_dim);
    }
    for (const HeadView::Tile& tile : keys_.tiles()) {
      KeyScores task = scores_of(params_, tile, queries_.data(), n * group_,
                                 scores_.data() + tile.first, stride_);
      task.scale = params_.scale * kLog2E;
      task.weights = tile.notes == nullptr ? nullptr : tile.notes->weight;
      context_.kernels.key_scores(&task);
    }
  }

  /** `i`: of those that were scored together. */
  void add_row(int row, int i, float* out) {
    const int index = params_.first_row + row * params_.row_stride;
    const int begin = params_.window == 0 ? 0 : keys_.n_before(index + 1 - params_.window);
    const int end = keys_.n_before(index + 1);
    std::fill(shares_.begin() + begin, shares_.begin() + end, 0.0f);
    for (int query = 0; query < group_; query++)
      context_.kernels.add_softmax(scores_.data() + (i * group_ + query) * stride_ + begin,
                                   end - begin, 1.0f / static_cast<float>(group_),
                                   shares_.data() + begin);
    const float equal = 1.0f / static_cast<float>(end - begin);
    for (int key = begin; key < end; key++) {
      const float share = shares_[static_cast<size_t>(key)];
      if (params_.signal == KeySignal::kAttention) out[key] += share;
      else out[key] += share < equal ? 1.0f : share - share;  // a share of NaN stays one
    }
  }

  const OpContext& context_;
  const KvSignalParams& params_;
  const float* queries_of_;
  int head_;
  const HeadView& keys_;
  int group_, rows_at_once_;
  int64_t stride_;  // from one query's scores to the next one's
  std::vector<float> queries_, scores_, shares_;
};

void measure_norms(const HeadView& keys, int head_dim, float* out) {
  std::vector<float> key(static_cast<size_t>(head_dim));
  for (int i = 0; i < keys.n_keys(); i++) {
    keys.read(i, key.data());
    float sum = 0;
    for (const float x : key) sum += x * x;
    out[i] = std::sqrt(sum);
  }
}

/** Of a chunk: each key that is no centre, with the centre that is most like it. */
class ChunkMatch {
 public:
  ChunkMatch(const OpContext& context, const KvSignalParams& params, const HeadView& keys,
             const float* norms, float* out)
      : context_(context), params_(params), keys_(keys), norms_(norms), out_(out) {}

  void match(int begin, int end) {
    const int stride = params_.match.stride;
    const int n_centres = (end - begin) / stride;
    if (n_centres == 0) return;
    read_centres(begin, n_centres);
    scores_.resize(static_cast<size_t>(n_centres) * kTileTokens);
    for (int key = begin; key < end;) {
      const HeadView::Tile& tile = keys_.tile_of(key);
      const KeyScores task =
          scores_of(params_, tile, centres_.data(), n_centres, scores_.data(), kTileTokens);
      context_.kernels.key_scores(&task);
      for (; key < std::min(end, tile.first + tile.n); key++) {
        const bool is_centre =
            (key - begin) % stride == stride - 1 && (key - begin) / stride < n_centres;
        if (!is_centre) choose(key, key - tile.first, begin, n_centres);
      }
    }
  }

 private:
  void read_centres(int begin, int n) {
    const auto head_dim = static_cast<size_t>(params_.plain.layout.head_dim);
    centres_.resize(static_cast<size_t>(n) * head_dim);
    for (int i = 0; i < n; i++) {
      const int key = centre(begin, i);
      float* to = centres_.data() + static_cast<size_t>(i) * head_dim;
      keys_.read(key, to);
      for (size_t d = 0; d < head_dim; d++) to[d] = norms_[key] == 0 ? 0 : to[d] / norms_[key];
    }
  }
  int centre(int begin, int i) const { return begin + (i + 1) * params_.match.stride - 1; }

  void choose(int key, int slot, int begin, int n_centres) {
    int best = 0;
    for (int i = 1; i < n_centres; i++) {
      if (score(i, slot) > score(best, slot)) best = i;
    }
    out_[key] = norms_[key] == 0 ? 0 : score(best, slot) / norms_[key];
    out_[params_.n_keys + key] = static_cast<float>(centre(begin, best));
  }
  float score(int i, int slot) const {
    return scores_[static_cast<size_t>(i) * kTileTokens + static_cast<size_t>(slot)];
  }

  const OpContext& context_;
  const KvSignalParams& params_;
  const HeadView& keys_;
  const float* norms_;
  float* out_;
  std::vector<float> centres_, scores_;
};

void match_keys(const OpContext& context, const KvSignalParams& params, const HeadView& keys,
                float* out) {
  const auto& [first, last, chunk, stride] = params.match;
  std::vector<float> norms(static_cast<size_t>(keys.n_keys()));
  measure_norms(keys, params.plain.layout.head_dim, norms.data());
  std::fill_n(out, keys.n_keys(), -2.0f);
  std::fill_n(out + params.n_keys, keys.n_keys(), -1.0f);
  ChunkMatch matching(context, params, keys, norms.data(), out);
  const int end = keys.n_keys() - last;
  for (int begin = first; begin < end; begin += chunk)
    matching.match(begin, std::min(end, begin + chunk));
}

}  // namespace

void kv_signal(const OpContext& context, const KvSignalParams& params) {
  const int n_kv_heads = params.plain.n_kv_heads;
  context.pool.parallel_for(params.plain.n_layers * n_kv_heads, [&](int i, int) {
    const HeadView keys(params, i / n_kv_heads, i % n_kv_heads);
    float* out = params.out + int64_t{i} * n_planes(params.signal) * params.n_keys;
    switch (params.signal) {
      case KeySignal::kAttention:
      case KeySignal::kSeldom:
        return RowReadings(context, params, i / n_kv_heads, i % n_kv_heads, keys).add(out);
      case KeySignal::kNorm: return measure_norms(keys, params.plain.layout.head_dim, out);
      case KeySignal::kMatch: return match_keys(context, params, keys, out);
    }
  });
}

}  // namespace cachalot::cpu
