/** Of the memory that the browser says this device has: what is likely free for models. */
const freeShare = 0.6
/** Stands for all that have more as well. */
const mostGigabytes = 32

/** Whether that is more than this device likely has room for. Only Chromium's browsers say what it has, and only roughly. */
export function isALot(bytes: number, deviceGigabytes: unknown = Reflect.get(navigator, 'deviceMemory')): boolean {
  return typeof deviceGigabytes === 'number' && deviceGigabytes < mostGigabytes && bytes > deviceGigabytes * freeShare * 1e9
}
