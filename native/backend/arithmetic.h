// Numbers that decide the bits of a result, the same on every backend (docs/decisions/0001, 0003,
// 0014). C headers only: kernels for one instruction set and kernels of CUDA include it.
//
// Attention: a *tile* is 32 keys, one online-softmax step. Tiles chain in order inside a *span* of
// 256 keys, which starts fresh. Spans fold left to right inside a *span group* of 16; span groups
// fold left to right. So a row's result depends on its context alone, however work is cut. An item
// begins at a span, or inside one where another item ended: its rows resume that item's
// partials. An item that does not begin a span group ends with its first span.
#pragma once

namespace cachalot {

constexpr int kTileTokens = 32;  // also the tokens of a KV block
constexpr int kSpanTokens = 256;
constexpr int kSpanGroupTokens = 16 * kSpanTokens;
constexpr int kSpanTiles = kSpanTokens / kTileTokens;
constexpr int kSpanGroupTiles = kSpanGroupTokens / kTileTokens;

/** Inputs that share one scale when rows become int8: x ~ scale * code, -127 <= code <= 127. */
constexpr int kQuantBlock = 32;
/** A block whose largest value is not above this has codes of 0, since 127 / largest could be
 * infinite: it is from 127 / FLT_MAX = 3.73e-37 down. */
constexpr float kLeastLargest = 1e-36f;

constexpr float kLog2E = 1.44269504088896341f;  // softmax runs in base 2

}  // namespace cachalot
