// Tokens of the attempt, and tokens for a storage.
import { describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { decodeJwt } from 'jose';
import { apiOf } from '../../e2e/system/api.js';
import { pilot } from './delivery.stories.js';
import { archive, ask, cancel, change, jobOf, reached, submit, system, textOf } from './stage.js';

/** Prints each token of a file, backwards: the log does not show a token. */
const printTokensOf = (variable: string): string => `
  last=; while :; do
    now=$(cat "$${variable}")
    if [ "$now" != "$last" ]; then printf %s "$now" | rev; echo; last=$now; fi
    sleep 0.2
  done`;

/** The tokens that a job has printed, once there are two. */
function untilRenewed(id: string): Promise<readonly string[]> {
  const printed = async (): Promise<readonly string[] | false> => {
    const lines = textOf((await jobOf(id)).log).split('\n');
    const tokens = lines.map((line) => [...line].reverse().join('')).filter((one) => one.startsWith('eyJ'));
    return tokens.length > 1 && tokens;
  };
  return waitFor('a renewed token', printed, { deadlineMs: 120_000 });
}

/** Publishes one unit to a new pool. @returns its id */
async function publishUnit(): Promise<string> {
  const pool = '{ experiment: "alpha", name: "of-tokens" }';
  const { data: made } = await ask(`mutation { createWorkPool(input: ${pool}) { pool { id } } }`);
  const units = `{ poolId: "${made.createWorkPool.pool.id}", units: [{ key: "a", payload: "x" }] }`;
  const { data } = await ask(`mutation { publishWorkUnits(input: ${units}) { unitIds } }`);
  return String(data.publishWorkUnits.unitIds[0]);
}

describe('a job with secrets', () => {
  it('has a token that reads its own job, is renewed, and ends with the attempt', async () => {
    const shell = `
      [ "$(cat "$RHIZOME_JOB_TOKEN_FILE")" = "$RHIZOME_JOB_TOKEN" ] && echo "same $RHIZOME_JOB_TOKEN"
      ${printTokensOf('RHIZOME_JOB_TOKEN_FILE')}`;
    const id = await submit(shell, { secrets: [], isTokenRequired: true });
    const other = await submit('true', {}, { selector: 'worker.name == "nobody"' });
    const tokens = await untilRenewed(id);
    const output = textOf((await jobOf(id)).log);
    expect(output).toContain('same ***');
    expect(output).not.toContain(tokens[0]);
    const token = tokens.at(-1) ?? '';
    const asked = async (text: string): Promise<unknown> => {
      const { data, errors } = await apiOf(system.url, token).post<object>(text);
      return errors?.[0]?.extensions.code ?? data;
    };
    const job = `{ job(id: "${id}") { state log(first: 1) { chunks { stream } } } }`;
    expect(await asked(job)).toMatchObject({
      job: { state: 'RUNNING', log: { chunks: [{ stream: 'STDOUT' }] } },
    });
    expect(await asked(`{ job(id: "${other}") { state } }`)).toEqual({ job: null });
    const unit = await publishUnit();
    const lease = `mutation { leaseWorkUnits(input: { pool: "of-tokens" }) { units { id fence payload } userErrors { code } } }`;
    expect(await asked(lease)).toEqual({
      leaseWorkUnits: { units: [{ id: unit, fence: 1, payload: 'x' }], userErrors: [] },
    });
    const report = `mutation { completeWorkUnits(input: { units: [{ id: "${unit}", fence: 1 }] }) { acceptedIds } }`;
    expect(await asked(report)).toEqual({ completeWorkUnits: { acceptedIds: [unit] } });
    for (const text of [
      '{ workPools { nodes { id } } }',
      `{ workUnit(id: "${unit}") { payload } }`,
      'mutation { createWorkPool(input: { experiment: "alpha", name: "x" }) { userErrors { code } } }',
      '{ jobs { nodes { id } } }',
      '{ jobCounts { count } }',
      '{ secrets { nodes { name } } }',
      '{ viewer { subject } }',
      '{ experiments { nodes { name } } }',
      '{ auditEntries { nodes { id } } }',
      'mutation { submitJobs(input: { experiment: "alpha", idempotencyKey: "x", jobs: [{ name: "x", payload: { command: "true" } }] }) { userErrors { code } } }',
      `mutation { cancelJobs(input: { selection: { ids: ["${other}"] } }) { userErrors { code } } }`,
    ])
      expect([text, await asked(text)]).toEqual([text, 'FORBIDDEN']);
    for (const one of [id, other]) await cancel(one);
    await reached(id, 'CANCELLED');
    expect(await asked(job)).toEqual({ job: null });
    expect(await asked(lease)).toEqual({
      leaseWorkUnits: { units: [], userErrors: [{ code: 'FENCE_STALE' }] },
    });
  });

  it('has a fresh token for the storage of its experiment, for as long as it runs', async () => {
    const shell = printTokensOf('RHIZOME_STORAGE_TOKEN_FILE_ARCHIVE_1');
    const id = await submit(shell, { secrets: [], isTokenRequired: true });
    const tokens = await untilRenewed(id);
    const [first, next] = tokens.map((token) => decodeJwt(token));
    for (const claims of [first, next])
      expect(claims).toMatchObject({
        ...{ aud: archive.audience, scope: `storage.read:/data storage.create:/jobs/${id}` },
      });
    expect(Number(next?.exp)).toBeGreaterThan(Number(first?.exp));
    const { errors } = await apiOf(system.url, tokens[0]).post('{ viewer { subject } }');
    expect(errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
    await cancel(id);
    await reached(id, 'CANCELLED');
  });

  it('leaves one entry of the tokens of each attempt in the audit log', async () => {
    const { data } = await ask(
      '{ auditEntries(filter: { kind: LOGIN }, first: 100) { nodes { action actor { kind workerId } targets { ids } result } } }',
    );
    const nodes = data.auditEntries.nodes as { action: string }[];
    const entry = {
      action: 'oauth.attempt',
      actor: { kind: 'PILOT', workerId: pilot.workerId },
      targets: { ids: [expect.stringMatching(/^job_/), archive.name] },
      result: 'SUCCEEDED',
    };
    expect(nodes.filter(({ action }) => action === 'oauth.attempt')).toEqual([entry, entry]);
  });

  it('works on units with its token, at the socket and by rhizome-job', async () => {
    const made = await change('createWorkPool', { experiment: 'alpha', name: 'slices' }, 'pool { id }');
    const poolId = String(made.pool.id);
    const units = ['one', 'two', 'bad', 'three', 'four'].map((payload, at) => ({ key: `k${at}`, payload }));
    const { unitIds } = await change('publishWorkUnits', { poolId, units }, 'unitIds');
    await change('closeWorkPool', { poolId }, 'pool { closedAt }');
    const shell = `
      python3 - <<'END'
import json, os, socket
connection = socket.socket(socket.AF_UNIX)
connection.connect(os.environ["RHIZOME_UNITS_SOCKET"])
lines = connection.makefile("rw", encoding="utf-8")
def call(**request):
    print(json.dumps(request), file=lines, flush=True)
    return json.loads(lines.readline())
units = call(op="lease", pool="slices", max=2)["units"]
done = [{"id": u["id"], "fence": u["fence"], "result": u["payload"].upper()} for u in units]
print(len(call(op="extend", units=[{"id": u["id"], "fence": u["fence"]} for u in units])["acceptedIds"]))
print(len(call(op="complete", units=done)["acceptedIds"]), flush=True)
print(call(op="lease", pool="other")["error"]["code"], flush=True)
END
      rhizome-job units --pool slices --max 2 -- sh -c '
        grep -qv bad "$1" || exit 65
        tr a-z A-Z <"$1" >"$RHIZOME_UNIT_RESULT"' work
      echo "code $?"`;
    const id = await submit(shell, { secrets: [], isTokenRequired: true }, { diskMiB: 8 });
    const { state, log } = await reached(id, 'FINISHED', 'FAILED');
    expect([state, textOf(log)]).toEqual(['FINISHED', expect.stringContaining('2\n2\nPOOL_NOT_FOUND\n')]);
    expect(textOf(log)).toContain('code 0\n');
    expect(textOf(log)).toContain('the pool is closed and empty; 2 units completed, 1 failed');
    const selection = 'state completion { result jobId } error { code message }';
    const query = `{ ${unitIds.map((unit: string, at: number) => `u${at}: workUnit(id: "${unit}") { ${selection} }`).join(' ')} }`;
    const { data } = await ask(query);
    const results = Object.values(data as Record<string, { completion: { result: string } | null }>);
    expect(results.map(({ completion }) => completion?.result)).toEqual([
      ...['ONE', 'TWO', undefined, 'THREE', 'FOUR'],
    ]);
    expect(data.u2).toMatchObject({ state: 'DEAD' });
  });
});
