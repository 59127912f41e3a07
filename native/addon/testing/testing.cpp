#include "addon/testing/testing.h"

namespace cachalot::addon {

namespace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
  export_ops(env, exports);
  export_attention(env, exports);
  export_plan(env, exports);
  export_kv_blocks(env, exports);
  export_kv_cache(env, exports);
  export_timing(env, exports);
  export_emulator(env, exports);
  export_allocations(env, exports);
  export_step_turns(env, exports);
  export_grammar(env, exports);
  return exports;
}

NODE_API_MODULE(cachalot_testing, init)

}  // namespace

}  // namespace cachalot::addon
