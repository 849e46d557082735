/** Inputs about robots, each with a new key by default. */
import { randomUUID } from 'node:crypto';
import { createProofKey, type ProofKey } from '@rhizome/client';

/** The public part of a key, as people paste it. */
function publicPart(key: ProofKey): string {
  const { d: _private, ...rest } = key.export();
  return JSON.stringify(rest);
}

const inOneDay = (): string => new Date(Date.now() + 86_400_000).toISOString();

/** Registers a robot. */
export const robotInput = (
  experiment: string,
  roles: readonly string[] = ['READER'],
  key = createProofKey(),
): object => ({
  ...{ experiment, name: `robot-${randomUUID()}`, roles },
  ...{ publicKey: publicPart(key), keyExpiresAt: inOneDay() },
});

/** Adds a key to a robot. */
export const robotKeyInput = (robotId: string): object => ({
  ...{ robotId, publicKey: publicPart(createProofKey()), expiresAt: inOneDay() },
});
