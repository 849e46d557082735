/** Inputs about robots, each with a new key. */
import { randomUUID } from 'node:crypto';
import { createProofKey } from '@rhizome/testkit';

/** A new public key, as people paste it. */
function publicKey(): string {
  const { d: _private, ...key } = createProofKey().export();
  return JSON.stringify(key);
}

const inOneDay = (): string => new Date(Date.now() + 86_400_000).toISOString();

/** Registers a robot. */
export const robotInput = (experiment: string, roles: readonly string[] = ['READER']): object => ({
  ...{ experiment, name: `robot-${randomUUID()}`, roles },
  ...{ publicKey: publicKey(), keyExpiresAt: inOneDay() },
});

/** Adds a key to a robot. */
export const robotKeyInput = (robotId: string): object => ({
  ...{ robotId, publicKey: publicKey(), expiresAt: inOneDay() },
});
