/**
 * Updates of a running playground: services restart with the program as it is built now, schemas are
 * published.
 */
import type { ApiClient } from '@rhizome/client';
import type { RunningPlayground } from '../playground.js';
import { DevPublishSchemaDocument } from '../operations.generated.js';

/** Sent by the parent process after a build. */
export interface UpdateRequest {
  readonly id: number;
  /** Names of the services to restart. */
  readonly services: readonly string[];
  /** Names of the subgraphs whose schema changed. */
  readonly schemas: readonly string[];
  readonly pilots: boolean;
}

/** Sent to the parent process when the update is live, or has failed. */
export interface UpdateResult {
  readonly id: number;
  readonly errors: readonly string[];
  /** Changes for clients, and the version that is live now. */
  readonly notes: readonly string[];
}

/** The part of a process with an IPC channel that updates need. */
export interface UpdateChannel {
  on(event: 'message', listener: (message: unknown) => void): unknown;
  send?(message: unknown): unknown;
}

/**
 * Carries out updates in the order in which they arrive, and says first that the playground is ready for
 * them.
 */
export function answerUpdates(channel: UpdateChannel, running: RunningPlayground): void {
  let previous: Promise<unknown> = Promise.resolve();
  channel.on('message', (message) => {
    previous = previous.then(async () => channel.send?.(await update(running, message as UpdateRequest)));
  });
  channel.send?.({ ready: true });
}

async function update(running: RunningPlayground, request: UpdateRequest): Promise<UpdateResult> {
  const errors: string[] = [];
  const notes: string[] = [];
  const attempt = async (work: () => Promise<unknown>) => {
    try {
      await work();
    } catch (error) {
      errors.push(error instanceof Error ? error.message : String(error));
    }
  };
  const { stack, client } = running;
  await Promise.all(request.services.map((name) => attempt(async () => stack.restart?.(name))));
  if (errors.length === 0)
    for (const name of request.schemas) await attempt(() => publish(client, name, notes, errors));
  if (request.pilots) await attempt(() => running.restartPilots());
  return { id: request.id, errors, notes };
}

/**
 * Publishes the schema that the restarted endpoint answers with. Breaking changes are reported and accepted.
 */
async function publish(
  client: ApiClient,
  subgraph: string,
  notes: string[],
  errors: string[],
): Promise<void> {
  const input = { subgraph, isBreakingAccepted: true, note: 'npm run dev' };
  const { publishSchema } = await client.mutate(DevPublishSchemaDocument, { input }, { idempotent: true });
  errors.push(...publishSchema.userErrors.map(({ message }) => message));
  for (const { severity, message } of publishSchema.check?.changes ?? [])
    notes.push(`${severity}: ${message}`);
  if (publishSchema.version) notes.push(`schema version ${publishSchema.version.number} is live`);
}
