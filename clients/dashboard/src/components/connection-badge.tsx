import { useSyncExternalStore } from 'react';
import type { ConnectionState } from '../api/connection-state.js';

const words = { connecting: 'connecting…', live: 'live', away: 'reconnecting…', still: 'at rest' } as const;

/** Shows whether the page is live. */
export function ConnectionBadge({ connection }: { connection: ConnectionState }) {
  const now = useSyncExternalStore(connection.subscribe, connection.get);
  return (
    <span className={`badge badge-${now}`} role="status">
      {words[now]}
    </span>
  );
}
