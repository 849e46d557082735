// What a job with secrets receives, and where it may run.
import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import type { RunningPilot } from '../../e2e/system/pilots.js';
import { ask, cancel, change, ended, enrolled, reached, submit, textOf } from './stage.js';

/** Values that must not be anywhere but in the payload: those of all secrets have the text "petrel". */
const password = 'petrel-Pa55 w0rd/é';
const keyText = `-----BEGIN KEY-----\npetrelKeyLine0001\npetrelKeyLine0002\n-----END KEY-----\n`;
const rotated = 'petrel-rotated-later';

/** The pilot `closed`, which runs until the stories of confinement. */
export let pilot: RunningPilot;
/** Ids of the secrets of jobs. */
export let ids: readonly string[];

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

async function create(name: string, value: string, more: object = {}): Promise<{ readonly id: string }> {
  const selection = 'secret { id } userErrors { message }';
  return (await change('createSecret', { name, value, ...more }, selection)).secret;
}

describe('a job with secrets', () => {
  it('is not sent to a worker that does not isolate payloads', async () => {
    const made = await Promise.all([
      create('PASSWORD', password),
      create('KEY', keyText, { experiment: 'alpha' }),
    ]);
    ids = made.map(({ id }) => id);
    const open = await enrolled('open', '--isolation', 'none');
    const id = await submit('true');
    const pending = await waitFor(
      'an explanation',
      async () => {
        const { data } = await ask('query ($id: ID!) { job(id: $id) { state pending { summary } } }', { id });
        return data.job.pending?.summary && data.job;
      },
      { deadlineMs: 60_000 },
    );
    expect(pending.state).toBe('ACTIVATED');
    expect(pending.pending.summary).toMatch(/has no isolation .* needs bubblewrap/);
    open.process.signal('SIGTERM');
    await open.process.exited;
    await cancel(id);
  });

  it('receives them as a file and as a variable', async () => {
    pilot = await enrolled('closed');
    const id = await submit(`
      printf %s "$PASSWORD" | sha256sum
      sha256sum < "$RHIZOME_SECRETS/service.key"
      stat -c 'mode %a' "$RHIZOME_SECRETS/service.key"
      touch "$RHIZOME_SECRETS/forged" 2>/dev/null || echo read-only`);
    const { state, log: output } = await ended(id);
    expect(state).toBe('FINISHED');
    const text = textOf(output);
    expect(text).toContain(digest(password));
    expect(text).toContain(digest(keyText));
    expect(text).toContain('mode 400');
    expect(text).toContain('read-only');
  });

  it('cannot show them in its log', async () => {
    const id = await submit(`
      echo "password is $PASSWORD."; printf %s "$PASSWORD" | base64; printf 'x:%s:y' "$PASSWORD" | base64
      cat "$RHIZOME_SECRETS/service.key"; env
      for part in "\${PASSWORD%????????}" "\${PASSWORD#\${PASSWORD%????????}}"; do printf %s "$part"; sleep 0.4; done
      echo; echo done >&2`);
    const { state, log: output } = await ended(id);
    expect(state).toBe('FINISHED');
    const text = textOf(output);
    expect(text).toContain('password is ***.');
    expect(text).toContain('done');
    expect(text).not.toMatch(/petrel|Pa55|cGV0cmVs/);
  });

  it('gets the newest version, and fails without one of them', async () => {
    await change('rotateSecret', { id: ids[0], value: rotated });
    const first = await ended(await submit('printf %s "$PASSWORD" | sha256sum'));
    expect(textOf(first.log)).toContain(digest(rotated));
    const { id: shortLived } = await create('SHORT-LIVED', 'petrel-short-lived');
    const secrets = [{ name: 'SHORT-LIVED' }];
    const hold = { ...{ secrets }, command: 'true', arguments: [] };
    const far = { selector: 'worker.name == "later"' };
    const id = await submit('', hold, far);
    await change('deleteSecret', { id: shortLived }, 'isDeleted');
    expect(await submit('', hold)).toContain('SECRET_NOT_FOUND');
    const later = await enrolled('later');
    expect((await reached(id, 'FAILED')).error).toMatchObject({ code: 'SECRET_UNAVAILABLE' });
    later.process.signal('SIGTERM');
    await later.process.exited;
  });
});
