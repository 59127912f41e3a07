// The cache over a real pool, without a model: leaves are numbers, and every call ends with
// the cache's own check.

#include "kv/kv_cache.h"

#include <map>
#include <memory>
#include <utility>

#include "addon/testing/testing.h"
#include "cpu/cpu_backend.h"

namespace cachalot::addon {

namespace {

constexpr KvShape kShape[] = {{kv_layout(KvFormat::kF32, KvFormat::kF32, 2), 1, 1}};

class KvCacheWrap final : public Napi::ObjectWrap<KvCacheWrap> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "KvCache",
        {InstanceMethod<&KvCacheWrap::open>("open"), InstanceMethod<&KvCacheWrap::match>("match"),
         InstanceMethod<&KvCacheWrap::reserve>("reserve"),
         InstanceMethod<&KvCacheWrap::commit>("commit"),
         InstanceMethod<&KvCacheWrap::release>("release"),
         InstanceMethod<&KvCacheWrap::discard>("discard"),
         InstanceMethod<&KvCacheWrap::slabs>("slabs"), InstanceMethod<&KvCacheWrap::pin>("pin"),
         InstanceMethod<&KvCacheWrap::set_retention>("setRetention"),
         InstanceMethod<&KvCacheWrap::demote>("demote"),
         InstanceMethod<&KvCacheWrap::set_time>("setTime"),
         InstanceMethod<&KvCacheWrap::counts>("counts"),
         InstanceMethod<&KvCacheWrap::clear>("clear")});
  }

  // new KvCache(slabs)
  explicit KvCacheWrap(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<KvCacheWrap>(info),
        backend_("portable", 1),
        pool_(backend_, kShape, static_cast<size_t>(integer_of(info[0])) * 512),
        cache_(pool_, [this](const KvCopy& copy) { copied_ += copy.end_slot - copy.first_slot; }) {}

 private:
  // open(key, tokens): { leaf, cached }
  Napi::Value open(const Napi::CallbackInfo& info) {
    return checked(info, [&]() -> Napi::Value {
      KvSegment* leaf = cache_.open(key(info), integers_of(info[1]));
      leaves_[++last_] = leaf;
      auto result = Napi::Object::New(info.Env());
      result.Set("leaf", last_);
      result.Set("cached", leaf->end());
      return result;
    });
  }

  Napi::Value match(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), cache_.match(key(info), integers_of(info[1])));
  }

  Napi::Value reserve(const Napi::CallbackInfo& info) {
    return checked(info, [&]() -> Napi::Value {
      return Napi::Boolean::New(info.Env(), cache_.reserve(leaf(info), integer_of(info[1])));
    });
  }

  Napi::Value commit(const Napi::CallbackInfo& info) {
    return checked(info, [&]() -> Napi::Value {
      cache_.commit(leaf(info), integers_of(info[1]));
      return info.Env().Undefined();
    });
  }

  Napi::Value release(const Napi::CallbackInfo& info) {
    return checked(info, [&]() -> Napi::Value {
      cache_.release(leaf(info));
      leaves_.erase(integer_of(info[0]));
      return info.Env().Undefined();
    });
  }

  Napi::Value discard(const Napi::CallbackInfo& info) {
    return checked(info, [&]() -> Napi::Value {
      cache_.discard(leaf(info));
      leaves_.erase(integer_of(info[0]));
      return info.Env().Undefined();
    });
  }

  // pin(key, tokens): unpins when called again without arguments
  Napi::Value pin(const Napi::CallbackInfo& info) {
    return checked(info, [&]() -> Napi::Value {
      if (info.Length() == 0) cache_.unpin(std::exchange(pinned_, nullptr));
      else pinned_ = cache_.pin(key(info), integers_of(info[1]));
      return info.Env().Undefined();
    });
  }

  // setRetention(key, tokens, priority, ttlMs)
  Napi::Value set_retention(const Napi::CallbackInfo& info) {
    return checked(info, [&]() -> Napi::Value {
      cache_.set_retention(key(info), integers_of(info[1]),
                           {integer_of(info[2]), integer_of(info[3])});
      return info.Env().Undefined();
    });
  }

  // demote(key, tokens, keep)
  Napi::Value demote(const Napi::CallbackInfo& info) {
    return checked(info, [&]() -> Napi::Value {
      cache_.demote(key(info), integers_of(info[1]), integer_of(info[2]));
      return info.Env().Undefined();
    });
  }

  // setTime(ms)
  Napi::Value set_time(const Napi::CallbackInfo& info) {
    return checked(info, [&]() -> Napi::Value {
      cache_.set_time(integer_of(info[0]));
      return info.Env().Undefined();
    });
  }

  // slabs(leaf): addresses of the slabs of its whole context
  Napi::Value slabs(const Napi::CallbackInfo& info) {
    auto array = Napi::Array::New(info.Env());
    for (const uint32_t slab : context_slabs(leaf(info))) array.Set(array.Length(), slab);
    return array;
  }

  Napi::Value counts(const Napi::CallbackInfo& info) {
    auto result = Napi::Object::New(info.Env());
    const auto slab_bytes = static_cast<double>(pool_.slab_bytes());
    result.Set("free", static_cast<double>(pool_.bytes() - pool_.bytes_in_use()) / slab_bytes);
    result.Set("available", static_cast<double>(cache_.available_bytes()) / slab_bytes);
    result.Set("segments", cache_.n_segments());
    result.Set("copied", copied_);
    return result;
  }

  Napi::Value clear(const Napi::CallbackInfo& info) {
    return checked(info, [&]() -> Napi::Value {
      cache_.clear();
      return info.Env().Undefined();
    });
  }

  static TreeKey key(const Napi::CallbackInfo& info) { return {info[0].ToString()}; }
  KvSegment* leaf(const Napi::CallbackInfo& info) { return leaves_.at(integer_of(info[0])); }

  template <typename Call>
  Napi::Value checked(const Napi::CallbackInfo& info, Call call) {
    try {
      const Napi::Value result = call();
      cache_.check_invariants();
      return result;
    } catch (const Error& error) {
      throw to_js(info.Env(), error);
    }
  }

  cpu::CpuBackend backend_;
  KvPool pool_;
  KvCache cache_;
  std::map<int, KvSegment*> leaves_;
  int last_ = 0;
  KvSegment* pinned_ = nullptr;
  int copied_ = 0;
};

}  // namespace

void export_kv_cache(Napi::Env env, Napi::Object exports) {
  exports.Set("KvCache", KvCacheWrap::define(env));
}

}  // namespace cachalot::addon
