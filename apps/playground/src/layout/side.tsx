import { Drawer } from '@mantine/core'
import type { ReactElement, ReactNode } from 'react'
import classes from './layout.module.css'

export interface SideProps {
  readonly label: string
  readonly position: 'left' | 'right'
  /** Wide pages have room beside the conversation; on others it comes over it. */
  readonly isBeside: boolean
  /** What is in it needs room: as much as there is on a phone. */
  readonly isExpanded?: boolean
  readonly isOpen: boolean
  readonly onClose: () => void
  /** Once it has gone from over the page. */
  readonly onClosed?: () => void
  readonly children: ReactNode
}

export function Side({ label, position, isBeside, isExpanded = false, isOpen, onClose, onClosed = () => {}, children }: SideProps): ReactElement | false {
  if (isBeside) {
    const Element = position === 'left' ? 'nav' : 'aside'
    return isOpen && <Element className={classes.side} data-position={position} data-expanded={isExpanded || undefined} aria-label={label}>{children}</Element>
  }
  return (
    <Drawer opened={isOpen} onClose={onClose} onExitTransitionEnd={onClosed} position={position} size={isExpanded ? 'min(680px, 100vw)' : 'min(360px, 92vw)'} title={label} closeButtonProps={{ 'aria-label': 'Close' }} classNames={{ body: classes.drawerBody, content: classes.drawer }}>
      {children}
    </Drawer>
  )
}
