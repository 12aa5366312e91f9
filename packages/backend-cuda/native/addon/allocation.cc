#include "context.h"

Allocation::Allocation(std::shared_ptr<Context> owner, size_t bytes) : Resource(std::move(owner)), bytes(bytes) { CU(*use().driver, cuMemAlloc_v2, &address, bytes); }

void Allocation::checkSpan(double offset, size_t length) const {
  if (!(offset >= 0) || offset + static_cast<double>(length) > static_cast<double>(bytes)) throw std::out_of_range("no such bytes in the allocation");
}

void Allocation::free(const Driver &driver) {
  if (address != 0) driver.cuMemFree_v2(address);
}
