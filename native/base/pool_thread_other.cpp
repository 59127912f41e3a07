// Systems on which nobody says where a thread runs.

#include "base/pool_thread.h"

namespace cachalot {

struct PoolThread::Place {};

PoolThread::PoolThread() = default;
PoolThread::~PoolThread() = default;
void PoolThread::introduce() {}
void PoolThread::begin() {}
void PoolThread::end() {}
bool PoolThread::is_put_aside() const { return false; }
bool PoolThread::call_over() { return false; }

}  // namespace cachalot
