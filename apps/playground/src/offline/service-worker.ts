/// <reference lib="webworker" />
/** The whole page and the demo model, offline; and the headers that threads need, where the host does not send them. */
import { cleanupOutdatedCaches, PrecacheController } from 'workbox-precaching'
import { createPartialResponse } from 'workbox-range-requests'

declare const self: ServiceWorkerGlobalScope & { readonly precacheManifest: (string | { readonly url: string; readonly revision: string | null })[] }

const precache = new PrecacheController()
precache.addToCacheList(self.precacheManifest)
cleanupOutdatedCaches()

self.addEventListener('install', (event) => void precache.install(event))
self.addEventListener('activate', (event) => {
  void precache.activate(event)
  event.waitUntil(self.clients.claim())
})
// A new version waits until no page of the old one is open: that one may still want its own files.
self.addEventListener('fetch', (event) => {
  const { request } = event
  const isOurs = new URL(request.url).origin === self.location.origin
  if (isOurs && request.method === 'GET') event.respondWith(answer(request))
})

async function answer(request: Request): Promise<Response> {
  const isPage = request.mode === 'navigate'
  const kept = await precache.matchPrecache(isPage ? new URL('index.html', self.registration.scope).href : new URL(request.url).href)
  if (kept === undefined) return isolated(await fetch(request))
  return isolated(request.headers.has('range') ? await createPartialResponse(request, kept) : kept)
}

/** https://web.dev/articles/coop-coep: pages and workers with these have shared memory, and so threads. */
function isolated(response: Response): Response {
  if (response.status === 0 || response.status === 304 || response.redirected) return response
  const headers = new Headers(response.headers)
  headers.set('Cross-Origin-Opener-Policy', 'same-origin')
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp')
  headers.set('Cross-Origin-Resource-Policy', 'same-origin')
  const { status, statusText, body } = response
  return new Response(status === 204 ? null : body, { status, statusText, headers })
}
