import type { EndpointClient } from './endpoint-client.js';
import { CheckFailed, type Check } from './types.js';

/** Checks of `/healthz` and `/readyz`. */
export function healthChecks(endpoint: EndpointClient): readonly Check[] {
  return (['/healthz', '/readyz'] as const).map((path) => ({
    part: 'health',
    promise: `${path} returns 200 without a token`,
    run: async () => {
      const { status, text } = await endpoint.get(path);
      if (status === 200) return '200';
      throw new CheckFailed(
        `${status}: ${text.slice(0, 100)}`,
        path === '/healthz'
          ? 'return 200 as long as the process can respond'
          : 'return 200 while the store is reachable, 503 before and while draining',
      );
    },
  }));
}
