import { type MouseEvent, type ReactNode, useSyncExternalStore } from 'react';
import { type Route, routeOf } from './routes.js';

const moved = 'rhizome:moved';

function subscribe(listener: () => void): () => void {
  window.addEventListener('popstate', listener);
  window.addEventListener(moved, listener);
  return () => {
    window.removeEventListener('popstate', listener);
    window.removeEventListener(moved, listener);
  };
}

/** Where the page is, also after a step back. */
export function useRoute(): Route {
  return routeOf(useSyncExternalStore(subscribe, () => window.location.pathname));
}

/** A link within the page; with a modifier it opens as the browser does it. */
export function Link({ to, children }: { to: string; children: ReactNode }) {
  const go = (event: MouseEvent): void => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    window.history.pushState(null, '', to);
    window.dispatchEvent(new Event(moved));
    window.scrollTo(0, 0);
  };
  return (
    <a href={to} onClick={go}>
      {children}
    </a>
  );
}
