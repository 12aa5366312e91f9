export const metadata = { title: 'Facet with Next.js', icons: 'data:,' }

export default function Layout({ children }) {
  return <html lang="en"><body>{children}</body></html>
}
