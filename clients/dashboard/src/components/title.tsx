import { useEffect } from 'react';

/** The heading of a view, which is the name of its tab, too. */
export function Title({ children, isQuiet = false }: { children: string; isQuiet?: boolean }) {
  useEffect(() => {
    document.title = `${children} · Rhizome`;
  }, [children]);
  return <h1 className={isQuiet ? 'unseen' : undefined}>{children}</h1>;
}
