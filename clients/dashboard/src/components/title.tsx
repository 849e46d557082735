import { useEffect } from 'react';

/** The heading of a view, which is the name of its tab, too. */
export function Title({ children, isHidden = false }: { children: string; isHidden?: boolean }) {
  useEffect(() => {
    document.title = `${children} · Rhizome`;
  }, [children]);
  return <h1 className={isHidden ? 'unseen' : undefined}>{children}</h1>;
}
