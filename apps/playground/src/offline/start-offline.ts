/** Registers the service worker. On hosts that cannot set headers, one reload gives the page its threads. */
const reloadedKey = 'facet.reloaded-for-threads'

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
  if (crossOriginIsolated || !isSecureContext || sessionStorage.getItem(reloadedKey) !== null) return
  // Not under somebody's hands: who has begun gets threads at the next visit.
  if (isTouched) return
  sessionStorage.setItem(reloadedKey, 'yes')
  location.reload()
}
