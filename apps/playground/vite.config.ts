import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'
import { VitePWA } from 'vite-plugin-pwa'

/** As on a host that sets headers; elsewhere the service worker sets them. */
const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }

/** A model's answer cannot make the page fetch anything. `connect-src`: the hub and mirrors of it, and servers that somebody asks for, also without https in their own network. */
const contentSecurityPolicy = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' blob: data:",
  "connect-src 'self' blob: https: http:",
  "worker-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

const policy: Plugin = {
  name: 'content-security-policy',
  apply: 'build',
  transformIndexHtml: () => [{ tag: 'meta', attrs: { 'http-equiv': 'Content-Security-Policy', content: contentSecurityPolicy }, injectTo: 'head-prepend' }],
}

export default defineConfig({
  base: './', // works below any path
  plugins: [
    react(),
    policy,
    VitePWA({
      strategies: 'injectManifest',
      srcDir: 'src/offline',
      filename: 'service-worker.ts',
      injectRegister: false,
      injectManifest: { injectionPoint: 'self.precacheManifest', globPatterns: ['**/*.{html,js,css,wasm,gguf,png,svg}'], maximumFileSizeToCacheInBytes: 8 * 2 ** 20 },
      manifest: {
        name: 'Facet playground',
        short_name: 'Facet',
        description: 'Chat with Gemma 3 on your own device.',
        display: 'standalone',
        start_url: './',
        scope: './',
        id: './',
        background_color: '#ffffff',
        theme_color: '#4263eb',
        icons: [
          { src: 'icon-192.png', sizes: '192x192', type: 'image/png' },
          { src: 'icon-512.png', sizes: '512x512', type: 'image/png' },
          { src: 'icon-maskable-512.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' },
        ],
      },
    }),
  ],
  worker: { format: 'es' },
  // The first with light-dark(): written for older ones, it does not see the page's own switch.
  build: { target: 'es2023', cssTarget: ['chrome123', 'firefox120', 'safari17.5'], assetsInlineLimit: 0 },
  server: { headers },
  preview: { headers },
})
