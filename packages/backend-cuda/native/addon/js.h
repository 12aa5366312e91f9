// The little of Node-API that we need, with C++ exceptions in the place of statuses.
#pragma once
#define NAPI_VERSION 8
#include <node_api.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

#include "driver.h"

/** A JavaScript exception is pending: nothing more is to be said. */
struct PendingException {};

/** Throws PendingException, with an exception where there is none yet. */
void checkNapi(napi_env env, napi_status status);

/** The Error that an exception of ours becomes: with cudaCode, cudaName and call, or reason and version. */
napi_value errorOf(napi_env env, const std::exception &error);

/** What the wrapped pointers of an External are told apart by. */
template <class T>
struct HandleTag {
  static const napi_type_tag value;
};

/** An External that shares the object; collecting it lets go. Null where Node-API refuses. */
template <class T>
napi_value externalOf(napi_env env, std::shared_ptr<T> object) {
  napi_value external = nullptr;
  auto *kept = new std::shared_ptr<T>(std::move(object));
  const auto letGo = [](napi_env, void *data, void *) { delete static_cast<std::shared_ptr<T> *>(data); };
  if (napi_create_external(env, kept, letGo, nullptr, &external) != napi_ok) {
    delete kept;
    return nullptr;
  }
  return napi_type_tag_object(env, external, &HandleTag<T>::value) == napi_ok ? external : nullptr;
}

/** The arguments of one call. */
class Call {
public:
  Call(napi_env env, napi_callback_info info);
  napi_env env;

  double number(size_t i) const;
  bool boolean(size_t i) const;
  std::string text(size_t i) const;
  /** Of a typed array: its memory. */
  std::span<uint8_t> bytes(size_t i) const { return bytesOf(value(i)); }
  std::span<uint8_t> bytesOf(napi_value array) const;
  napi_value value(size_t i) const;

  template <class T>
  std::shared_ptr<T> handle(size_t i) const {
    return handleOf<T>(value(i));
  }
  template <class T>
  std::shared_ptr<T> handleOf(napi_value external) const {
    void *pointer = nullptr;
    bool isTagged = false;
    checkNapi(env, napi_check_object_type_tag(env, external, &HandleTag<T>::value, &isTagged));
    if (!isTagged) throw std::invalid_argument("a handle of another kind was given");
    checkNapi(env, napi_get_value_external(env, external, &pointer));
    return *static_cast<std::shared_ptr<T> *>(pointer);
  }

  napi_value undefined() const;
  napi_value of(double number) const;
  napi_value of(bool boolean) const;
  napi_value of(const std::string &text) const;
  napi_value ofAddress(uint64_t address) const;
  template <class T>
  napi_value ofHandle(std::shared_ptr<T> object) const {
    const napi_value external = externalOf(env, std::move(object));
    checkNapi(env, external == nullptr ? napi_generic_failure : napi_ok);
    return external;
  }
  napi_value object() const;
  void set(napi_value object, const char *name, napi_value value) const;
  napi_value get(napi_value object, const char *name) const;

private:
  static constexpr size_t MOST_ARGUMENTS = 6;
  size_t count = MOST_ARGUMENTS;
  napi_value arguments[MOST_ARGUMENTS];
};

/** A function of the addon: exceptions become JavaScript's. */
template <napi_value (*body)(Call &)>
napi_value entry(napi_env env, napi_callback_info info) {
  try {
    Call call(env, info);
    return body(call);
  } catch (const PendingException &) {
  } catch (const std::exception &error) {
    napi_throw(env, errorOf(env, error));
  }
  return nullptr;
}

/** A promise that is settled later, on the JavaScript thread. */
class Deferred {
public:
  explicit Deferred(napi_env env);
  napi_value promise;
  /** With nothing, or what `value` is. */
  void resolve(napi_value value = nullptr);
  void reject(const std::exception &error);

private:
  napi_env env;
  napi_deferred deferred;
};

/**
 * Runs `work` off the JavaScript thread, then `done` on it with what `work` threw (or null). Neither may throw anything else than
 * std::exception, `done` nothing at all.
 */
void runOffThread(napi_env env, std::function<void()> work, std::function<void(std::exception_ptr)> done);
