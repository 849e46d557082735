/** Minimum data of a new playground: experiments, shares and a queue. Existing data is kept. */
import type { ApiClient } from '@rhizome/client';
import type { ExperimentManifest } from '@rhizome/schema/repository';
import {
  SeedConsentDocument,
  SeedExperimentDocument,
  SeedExperimentsDocument,
  SeedInvitationDocument,
  SeedQueueDocument,
  SeedQueueStateDocument,
  SeedSetStorageDocument,
  SeedSharesDocument,
  SeedStorageDocument,
} from './operations.generated.js';

import { playgroundStorage } from './services/file-service.js';

/** Name of the playground's queue. */
export const playgroundQueue = 'playground';

/** Time for which the pilots' invitation is valid: they enrol at once. */
const invitationSeconds = 600;

const shares = [
  { leaf: 'production', nominalCores: 100 },
  { leaf: 'analysis', nominalCores: 50 },
  { leaf: 'default', nominalCores: 10 },
];

/**
 * Registers the experiments with their shares. The user of the client allows them to submit for it.
 * @throws if core refuses one
 */
export async function seedExperiments(
  client: ApiClient,
  experiments: readonly ExperimentManifest[],
): Promise<void> {
  const known = await client.query(SeedExperimentsDocument, {});
  // A newly registered experiment has one share; if its shares were changed, it has more, or another one.
  const isSeeded = (name: string) =>
    known.experiments.nodes.some(
      (one) => one.name === name && one.shares.some(({ path }) => path !== `${name}/default`),
    );
  await Promise.all(
    experiments.map(async (one) => {
      if (!isSeeded(one.name)) await seedExperiment(client, one);
      await allowSubmission(client, one.name);
    }),
  );
}

async function allowSubmission(client: ApiClient, experiment: string): Promise<void> {
  const { allowSubmissionOnBehalf } = await client.mutate(
    SeedConsentDocument,
    { input: { experiment } },
    { idempotent: true },
  );
  refuse(`the consent for ${experiment}`, allowSubmissionOnBehalf.userErrors);
}

async function seedExperiment(client: ApiClient, { name, title }: ExperimentManifest): Promise<void> {
  const registered = await client.mutate(
    SeedExperimentDocument,
    { input: { name, title } },
    { idempotent: true },
  );
  refuse(`experiment ${name}`, registered.registerExperiment.userErrors);
  const set = await client.mutate(
    SeedSharesDocument,
    { input: { experiment: name, shares } },
    { idempotent: true },
  );
  refuse(`the shares of ${name}`, set.setShares.userErrors);
}

/** Creates the queue, which pilots need to register. @throws if core refuses it */
export async function seedQueue(client: ApiClient): Promise<void> {
  if ((await client.query(SeedQueueStateDocument, { name: playgroundQueue })).queue) return;
  const queue = { name: playgroundQueue, site: 'PLAYGROUND', idempotencyKey: 'playground' };
  const created = await client.mutate(SeedQueueDocument, { input: queue }, { idempotent: true });
  refuse('the queue', created.createQueue.userErrors);
}

/** Creates the storage, or gives it the address that its service has now. @throws if core refuses it */
export async function seedStorage(client: ApiClient, address: string): Promise<void> {
  // The same folder, perhaps by another port.
  const change = { input: { name: playgroundStorage, address, isForced: true } };
  const { setStorage } = await client.mutate(SeedSetStorageDocument, change, { idempotent: true });
  const isMissing = setStorage.userErrors.some(({ code }) => code === 'STORAGE_NOT_FOUND');
  if (!isMissing) return refuse('the address of the storage', setStorage.userErrors);
  const storage = {
    name: playgroundStorage,
    address,
    provider: 'FOLDER' as const,
    credential: playgroundStorage,
  };
  const input = { ...storage, isDefault: true };
  const { createStorage } = await client.mutate(SeedStorageDocument, { input }, { idempotent: true });
  refuse('the storage', createStorage.userErrors);
}

/** Code by which pilots enrol in the queue. @throws if the gateway refuses it */
export async function invitePilots(client: ApiClient, count: number): Promise<string> {
  const input = { queue: playgroundQueue, experiments: ['*'], uses: count, ttlSeconds: invitationSeconds };
  const { inviteWorkers } = await client.mutate(SeedInvitationDocument, { input }, { idempotent: false });
  refuse('the invitation of the pilots', inviteWorkers.userErrors);
  return inviteWorkers.code ?? '';
}

function refuse(what: string, errors: readonly { readonly message: string; readonly code: string }[]): void {
  const [first] = errors;
  if (first) throw new Error(`${what} was refused: ${first.message} [${first.code}]`);
}
