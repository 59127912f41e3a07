#include "backend/code_tables.h"

namespace cachalot {

const uint16_t kIq2XxsGrid[256] = {
#include "backend/iq2_xxs_grid.inc"
};

}  // namespace cachalot
