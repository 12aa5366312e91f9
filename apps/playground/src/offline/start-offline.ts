const reloadsKey = 'facet.reloads-for-threads'
/** A visitor's own reload at that moment may take the place of ours, and show once more what came without the headers. */
const MOST_RELOADS = 2

/** Registers the service worker. On hosts that cannot set headers, a reload gives the page its threads. */
export async function startOffline(): Promise<void> {
  let isTouched = false
  for (const type of ['pointerdown', 'keydown', 'drop']) addEventListener(type, () => (isTouched = true), { once: true, capture: true })
  if (!('serviceWorker' in navigator)) return
  try {
    await navigator.serviceWorker.register('./service-worker.js', { scope: './' })
    await navigator.serviceWorker.ready
  } catch (error) {
    console.warn('This page will not work offline:', error)
    return
  }
  const reloads = Number(sessionStorage.getItem(reloadsKey))
  if (crossOriginIsolated || !isSecureContext || reloads >= MOST_RELOADS) return
  // Not under somebody's hands: who has begun gets threads at the next visit.
  if (isTouched) return
  sessionStorage.setItem(reloadsKey, String(reloads + 1))
  location.reload()
}
