// Tile heights of a kernel, tallest first.
#pragma once

namespace cachalot::cpu {

template <int... kHeights>
struct Heights {};

}  // namespace cachalot::cpu
