#include "addon/engine_wrap.h"

#include "addon/addon_data.h"
#include "addon/guarded.h"
#include "addon/promise_work.h"
#include "engine/build.h"

namespace cachalot::addon {

Napi::Function EngineWrap::define(Napi::Env env) {
  return DefineClass(
      env, "NativeEngine",
      {InstanceMethod<&EngineWrap::submit>("submit"), InstanceMethod<&EngineWrap::cancel>("cancel"),
       InstanceMethod<&EngineWrap::unpin>("unpin"),
       InstanceMethod<&EngineWrap::begin_batch>("beginBatch"),
       InstanceMethod<&EngineWrap::skip_batch_item>("skipBatchItem"),
       InstanceMethod<&EngineWrap::clear_cache>("clearCache"),
       InstanceMethod<&EngineWrap::explain>("explain"),
       InstanceMethod<&EngineWrap::keep_alive>("keepAlive"),
       InstanceMethod<&EngineWrap::stats>("stats"),
       InstanceMethod<&EngineWrap::description>("description"),
       InstanceMethod<&EngineWrap::save_layout>("saveLayout"),
       InstanceMethod<&EngineWrap::dispose>("dispose")});
}

Napi::Value EngineWrap::load(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = info[0].ToString();
  const EngineOptions options = engine_options_from(info[1].As<Napi::Object>());
  auto handle = std::make_shared<EngineHandle>();
  handle->channel = std::make_unique<TokenChannel>(env, info[2].As<Napi::Function>());
  const auto work = [path, options, handle] {
    TokenChannel* channel = handle->channel.get();
    handle->engine = build_engine(
        path, options, [channel](StepEvents events) { channel->send(std::move(events)); });
    return handle;
  };
  const auto finish = [](Napi::Env after, std::shared_ptr<EngineHandle> loaded) -> Napi::Value {
    const auto external = Napi::External<std::shared_ptr<EngineHandle>>::New(after, &loaded);
    return addon_data(after).engine_class.Value().New({external});
  };
  return PromiseWork<std::shared_ptr<EngineHandle>>::run(env, work, finish);
}

EngineWrap::EngineWrap(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<EngineWrap>(info), env_(info.Env()) {
  if (info.Length() != 1 || !info[0].IsExternal()) {
    throw Napi::TypeError::New(info.Env(), "use Engine.load() to make an engine");
  }
  handle_ = *info[0].As<Napi::External<std::shared_ptr<EngineHandle>>>().Data();
  // Runs before the channel's own hook (last added, first run), so the thread ends while the
  // channel still stands.
  napi_add_env_cleanup_hook(env_, end_with_environment, this);
}

EngineWrap::~EngineWrap() {
  if (handle_ == nullptr) return;
  handle_->stop_saving = true;
  napi_remove_env_cleanup_hook(env_, end_with_environment, this);
  handle_.reset();
}

void EngineWrap::end_with_environment(void* self) {
  auto& handle = static_cast<EngineWrap*>(self)->handle_;
  handle->stop_saving = true;
  handle.reset();
}

Engine& EngineWrap::engine() {
  if (handle_ == nullptr) throw Error(ErrorCode::kDisposed, "this engine has been disposed");
  return *handle_->engine;
}

Napi::Value EngineWrap::submit(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    engine().submit(request_from(info[0].As<Napi::Object>()));
    return info.Env().Undefined();
  });
}

Napi::Value EngineWrap::cancel(const Napi::CallbackInfo& info) {
  if (handle_ != nullptr) engine().cancel(static_cast<uint64_t>(info[0].ToNumber().DoubleValue()));
  return info.Env().Undefined();
}

Napi::Value EngineWrap::unpin(const Napi::CallbackInfo& info) {
  if (handle_ != nullptr) engine().unpin(static_cast<uint64_t>(info[0].ToNumber().DoubleValue()));
  return info.Env().Undefined();
}

Napi::Value EngineWrap::begin_batch(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto shared = info[1].As<Napi::Int32Array>();
    engine().begin_batch(static_cast<uint64_t>(info[0].ToNumber().DoubleValue()),
                         {shared.Data(), shared.Data() + shared.ElementLength()});
    return info.Env().Undefined();
  });
}

Napi::Value EngineWrap::skip_batch_item(const Napi::CallbackInfo& info) {
  if (handle_ != nullptr)
    engine().skip_batch_item(static_cast<uint64_t>(info[0].ToNumber().DoubleValue()),
                             info[1].ToNumber().Int32Value());
  return info.Env().Undefined();
}

Napi::Value EngineWrap::explain(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return to_js(info.Env(), engine().explain()); });
}

Napi::Value EngineWrap::clear_cache(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    engine().clear_cache();
    return info.Env().Undefined();
  });
}

Napi::Value EngineWrap::keep_alive(const Napi::CallbackInfo& info) {
  if (handle_ != nullptr) handle_->channel->keep_alive(info.Env(), info[0].ToBoolean());
  return info.Env().Undefined();
}

Napi::Value EngineWrap::stats(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return to_js(info.Env(), engine().stats()); });
}

Napi::Value EngineWrap::description(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    auto object = Napi::Object::New(info.Env());
    object.Set("device", engine().device());
    object.Set("weights", engine().weights());
    object.Set("kvFormat", kv_format_name(engine().kv_format()));
    object.Set("kvBytesPerToken", static_cast<double>(engine().kv_bytes_per_token()));
    object.Set("contextLength", engine().context_length());
    object.Set("vocabulary", engine().config().vocabulary);
    object.Set("architecture", engine().config().architecture);
    object.Set("layers", engine().config().n_layers());
    return object;
  });
}

/** saveLayout(path): Promise; the engine goes on meanwhile. */
Napi::Value EngineWrap::save_layout(const Napi::CallbackInfo& info) {
  const auto work = [handle = handle_, path = info[0].ToString().Utf8Value()] {
    if (handle == nullptr) throw Error(ErrorCode::kDisposed, "this engine has been disposed");
    const std::lock_guard lock(handle->saving);
    if (handle->engine == nullptr) throw Error(ErrorCode::kDisposed, "the engine was disposed");
    handle->engine->save_layout(path, handle->stop_saving);
    return handle;
  };
  const auto finish = [](Napi::Env env, std::shared_ptr<EngineHandle>) { return env.Undefined(); };
  return PromiseWork<std::shared_ptr<EngineHandle>>::run(info.Env(), work, finish);
}

/** Ends the thread off the JavaScript thread: a step in flight may take a while. */
Napi::Value EngineWrap::dispose(const Napi::CallbackInfo& info) {
  auto handle = std::move(handle_);
  handle_ = nullptr;
  if (handle != nullptr) napi_remove_env_cleanup_hook(env_, end_with_environment, this);
  const auto work = [handle] {
    if (handle != nullptr) {
      handle->stop_saving = true;
      const std::lock_guard lock(handle->saving);
      handle->engine.reset();
    }
    return handle;
  };
  const auto finish = [](Napi::Env env, std::shared_ptr<EngineHandle>) { return env.Undefined(); };
  return PromiseWork<std::shared_ptr<EngineHandle>>::run(info.Env(), work, finish);
}

}  // namespace cachalot::addon
