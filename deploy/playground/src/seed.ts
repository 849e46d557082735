/** What a fresh playground must have before it can run anything: experiments, shares, and a queue. Repeating it changes nothing. */
import type { ApiClient } from '@rhizome/client';
import type { ExperimentManifest } from '@rhizome/schema';
import { SeedExperimentDocument, SeedQueueDocument, SeedSharesDocument } from './operations.generated.js';

/** The playground's queue. */
export const playgroundQueue = 'playground';

/** Registers the experiments, each with two shares, and creates the queue. Throws when something is refused. */
export async function seed(client: ApiClient, experiments: readonly ExperimentManifest[]): Promise<void> {
  for (const { name, title } of experiments) {
    const registered = await client.mutate(
      SeedExperimentDocument,
      { input: { name, title } },
      { idempotent: true },
    );
    refuse(`experiment ${name}`, registered.registerExperiment.userErrors);
    const shares = [
      { leaf: 'production', nominalCores: 100 },
      { leaf: 'analysis', nominalCores: 50 },
      { leaf: 'default', nominalCores: 10 },
    ];
    const set = await client.mutate(
      SeedSharesDocument,
      { input: { experiment: name, shares } },
      { idempotent: true },
    );
    refuse(`the shares of ${name}`, set.setShares.userErrors);
  }
  const queue = { name: playgroundQueue, site: 'PLAYGROUND', idempotencyKey: 'playground' };
  const created = await client.mutate(SeedQueueDocument, { input: queue }, { idempotent: true });
  refuse('the queue', created.createQueue.userErrors);
}

function refuse(what: string, errors: readonly { readonly message: string; readonly code: string }[]): void {
  const [first] = errors;
  if (first) throw new Error(`${what} was refused: ${first.message} [${first.code}]`);
}
