import rehypeHighlight from 'rehype-highlight'

/** Once a page, not once a render: to register the languages takes longer than to read an answer. */
const transform = rehypeHighlight()

/** A plugin of react-markdown: colours code whose language is named. */
export function highlight(): ReturnType<typeof rehypeHighlight> {
  return transform
}
