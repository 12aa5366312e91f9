/** A URL's address. Next.js's URLs of assets are of a class of their own, and have no more than a path: it counts from the page's own. */
export function addressOf({ href }: URL): string {
  return URL.canParse(href) || typeof location === 'undefined' ? href : new URL(href, location.href).href
}
