import { ActionIcon, CopyButton, Tooltip } from '@mantine/core'
import { IconCheck, IconCopy } from '@tabler/icons-react'
import { isValidElement, memo, type ReactElement, type ReactNode } from 'react'
import ReactMarkdown, { type Components } from 'react-markdown'
import remarkGfm from 'remark-gfm'
import classes from './markdown.module.css'
import { useHighlight } from './use-highlight.ts'

const components: Components = {
  a: ({ href, children }) => <a href={href} target="_blank" rel="noopener noreferrer nofollow">{children}</a>,
  // Never fetched: what a model writes is not to make the page ask for anything.
  img: ({ alt, src }) => <span>[{alt || 'picture'}{typeof src === 'string' && src !== '' ? `: ${src}` : ''}]</span>,
  pre: ({ children }) => <CodeBlock>{children}</CodeBlock>,
  table: ({ children }) => <div className={classes.tableFrame} tabIndex={0} role="group" aria-label="Table"><table>{children}</table></div>,
}

/** An answer's text. Its HTML stays text. */
export const Markdown = memo(function Markdown({ text }: { readonly text: string }): ReactElement {
  const rehypePlugins = useHighlight(text)
  return (
    <div className={classes.markdown}>
      <ReactMarkdown remarkPlugins={[remarkGfm]} rehypePlugins={rehypePlugins} components={components}>{text}</ReactMarkdown>
    </div>
  )
})

function CodeBlock({ children }: { readonly children?: ReactNode }): ReactElement {
  return (
    <div className={classes.codeFrame}>
      <pre tabIndex={0} role="group" aria-label="Code">{children}</pre>
      <CopyButton value={textOf(children).replace(/\n$/, '')}>
        {({ copied, copy }) => (
          <Tooltip label={copied ? 'Copied' : 'Copy code'}>
            <ActionIcon className={classes.copy} variant="default" size="md" aria-label="Copy code" onClick={copy}>{copied ? <IconCheck size={14} /> : <IconCopy size={14} />}</ActionIcon>
          </Tooltip>
        )}
      </CopyButton>
    </div>
  )
}

function textOf(node: ReactNode): string {
  if (typeof node === 'string' || typeof node === 'number') return String(node)
  if (Array.isArray(node)) return node.map(textOf).join('')
  return isValidElement<{ readonly children?: ReactNode }>(node) ? textOf(node.props.children) : ''
}
