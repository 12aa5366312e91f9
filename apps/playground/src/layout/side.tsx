import { Drawer } from '@mantine/core'
import type { ReactElement, ReactNode } from 'react'
import classes from './layout.module.css'

export interface SideProps {
  readonly label: string
  readonly position: 'left' | 'right'
  /** Wide pages have room beside the conversation; on others it comes over it. */
  readonly isBeside: boolean
  readonly isOpen: boolean
  readonly onClose: () => void
  readonly children: ReactNode
}

export function Side({ label, position, isBeside, isOpen, onClose, children }: SideProps): ReactElement | false {
  if (isBeside) {
    const Element = position === 'left' ? 'nav' : 'aside'
    return isOpen && <Element className={classes.side} data-position={position} aria-label={label}>{children}</Element>
  }
  return (
    <Drawer opened={isOpen} onClose={onClose} position={position} size="min(360px, 92vw)" title={label} closeButtonProps={{ 'aria-label': 'Close' }} classNames={{ body: classes.drawerBody, content: classes.drawer }}>
      {children}
    </Drawer>
  )
}
