import { expect, it } from '@jest/globals';
import { type ApiClient, RhizomeApiError } from '@rhizome/client';
import { retryInCore } from './core-retry.js';

const options = (answer: (key: string) => object) => ({
  core: {
    // eslint-disable-next-line @typescript-eslint/require-await -- a rejection, not an exception
    mutate: async (_document: unknown, { input }: { input: { idempotencyKey: string } }) => ({
      retryWorkflow: { userErrors: [answer(input.idempotencyKey)] },
    }),
  } as unknown as ApiClient,
  pathRules: [['idempotencyKey', () => ['idempotencyKey']]] as const,
});
const retry = { workflowId: 'workflow_1' };

it('has other keys for each caller, and names those of the caller in errors', async () => {
  const keys: string[] = [];
  const reused = options((key) => {
    keys.push(key);
    const message = `idempotencyKey: "${key}" is not valid`;
    return { path: ['idempotencyKey'], code: 'IDEMPOTENCY_KEY_REUSED', message };
  });
  const ask = (subject: string) => retryInCore(reused, retry, { subject, idempotencyKey: 'again' });
  const [fault] = await ask('a');
  await ask('a');
  await ask('b');
  expect(keys[0]).toBe(keys[1]);
  expect(keys[0]).not.toBe(keys[2]);
  expect(fault).toMatchObject({ message: 'idempotencyKey: "again" is not valid' });
});

it('promises nothing if core does not answer', async () => {
  const lost = options(() => {
    throw new RhizomeApiError({ code: 'SERVICE_UNAVAILABLE', message: 'lost' });
  });
  await expect(retryInCore(lost, retry, { subject: 'a', idempotencyKey: 'k' })).rejects.toThrow(
    'call again with the same key',
  );
});
