import type { EndpointClient } from './endpoint-client.js';
import { Broken, type Check } from './types.js';

/** It says that it lives and that it is ready, without a token. */
export function healthChecks(endpoint: EndpointClient): readonly Check[] {
  return (['/healthz', '/readyz'] as const).map((path) => ({
    part: 'health',
    promise: `${path} answers 200 without a token`,
    run: async () => {
      const { status, text } = await endpoint.get(path);
      if (status === 200) return '200';
      throw new Broken(
        `${status}: ${text.slice(0, 100)}`,
        path === '/healthz'
          ? 'answer 200 as long as the process can answer at all'
          : 'answer 200 when the store is reached, 503 before and while draining',
      );
    },
  }));
}
