// Thread of the composer: see composer.ts.
import { parentPort } from 'node:worker_threads';
import { brokenBy, checkSubgraph, compose, publicSdlOf } from '@rhizome/schema';
import { compareSchemas, compareSupergraphs } from '@rhizome/schema';
import type { ComposerAnswer, ComposerCall } from './composer.js';

async function answer(call: ComposerCall): Promise<unknown> {
  switch (call.what) {
    case 'check': {
      const { candidate, others, liveSupergraphSdl } = call;
      const livePublicSdl = liveSupergraphSdl === null ? null : publicSdlOf(liveSupergraphSdl);
      return checkSubgraph({ candidate, others, livePublicSdl });
    }
    case 'compose': {
      const result = compose(call.subgraphs);
      if (!result.ok || call.liveSupergraphSdl === null) return { result, changes: [], brokenOperations: [] };
      const livePublicSdl = publicSdlOf(call.liveSupergraphSdl);
      const changes = await compareSchemas(livePublicSdl, result.publicSdl);
      return {
        result,
        changes,
        brokenOperations: brokenBy(call.subgraphs, livePublicSdl, result.publicSdl),
      };
    }
    case 'compare':
      return compareSupergraphs(call.before, call.after);
  }
}

parentPort?.on('message', ({ id, call }: { readonly id: number; readonly call: ComposerCall }) => {
  const send = (message: ComposerAnswer): void => parentPort?.postMessage(message);
  answer(call).then(
    (value) => send({ id, value }),
    (error: unknown) => send({ id, failure: error instanceof Error ? error.message : String(error) }),
  );
});
