/** The tour of the playground, and what a newcomer does with secrets, tokens and a campaign. */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { commandLineOf } from '../system/cli.js';
import { experiment, logOf, submit } from '../system/jobs.js';
import { type JobWatch, watchJobs } from '../system/job-watch.js';
import { startPilot } from '../system/pilots.js';
import {
  dataFolder,
  type PlaygroundSystem,
  spawnPlayground,
  startPlayground,
  type TransportKind,
} from '../system/playground-system.js';
import { processesWith, untilGone } from '../system/processes.js';
import { campaignTest } from './campaign-test.js';

interface Viewer {
  readonly viewer: { readonly subject: string; readonly kind: string };
}
const viewerQuery = '{ viewer { subject kind } }';

/** Declares the stories for one transport. @param coadds of a campaign, each with 48 other quanta */
export function tourStories(transport: TransportKind, coadds: number): void {
  describe(`the tour over ${transport}`, () => {
    it('runs to its end without a terminal, shows what happened, and ends with 0', async () => {
      const data = await dataFolder();
      const args = ['--once', '--port', '0', '--data', data, '--transport', transport];
      const playground = spawnPlayground('tour', args);
      await playground.line(/^Rhizome playground ready after [\d.]+ s/, 30_000);
      const exit = await playground.exited;
      const output = playground.stdout.join('\n');
      expect({ exit, stderr: playground.stderr, output }).toMatchObject({ exit: { code: 0 }, stderr: [] });

      // Each job, state by state: a generator runs, holds its outputs, moves them.
      const states = (job: string) =>
        [...output.matchAll(new RegExp(`s {2}${job} +([A-Z]+) +attempt`, 'g'))].map(([, state]) => state);
      const whole = ['SENT', 'RUNNING', 'HOLDING', 'TRANSFERRING', 'FINISHED'];
      expect(states('ATLAS evgen from 0')).toEqual(expect.arrayContaining(whole));
      expect(states('ATLAS merge').slice(0, 2)).toEqual(['PENDING', 'ACTIVATED']);
      expect(states('ATLAS merge').at(-1)).toBe('FINISHED');
      const [, first = ''] = /First job FINISHED ([\d.]+) s after the command/.exec(output) ?? [];
      process.stderr.write(`measured: first job FINISHED over ${transport} ${first} s after the command\n`);
      expect(Number(first)).toBeGreaterThan(0);

      // One job fails on its first attempt with exit code 3, and its log is shown.
      expect(output).toMatch(/ePIC time-frame group 0 +ACTIVATED +attempt 1 .*exit 3/);
      expect(output).toMatch(/group 0 ended with exit code 3 on its first attempt and with 0 on its second/);
      expect(output).toMatch(/attempt 1 fails on purpose/);
      expect(output).toMatch(/ePIC time-frame group 0 +FINISHED +attempt 2 .*exit 3, then 0/);

      // One job needs a GPU, and is given one that meets what it asks for.
      expect(output).toMatch(/A100-SXM4-40GB +driver 535 .* 2 of 2 free/);
      expect(output).toMatch(
        /GPU inference requires a GPU .* and CUDA 12\.2\.\nIt got (GPU-simulated-a100-[01]) of pilot-1; its payload saw "\1"/,
      );
      expect(output).toMatch(
        /With CUDA 13\.0 the job would wait.*\n.+\n +Suggested change: .*\(\+\d+ devices\)/,
      );

      const [, peak = '', picture = ''] =
        /fitted Z peak is at ([\d.]+) ± .* The picture: (.+)$/m.exec(output) ?? [];
      expect(Math.abs(Number(peak) - 91.2)).toBeLessThanOrEqual(0.5);
      // The picture is in the storage, under the key of its job and fence.
      expect(picture).toMatch(/\/files\/atlas\/[^/]+\/jobs\/job_\w+\/\d+\/histogram\.svg$/);
      expect(await readFile(picture, 'utf8')).toContain('<svg');
      expect(output).toContain('everything went well');
      await untilGone(processesWith(data), 1_000);
    });
  });

  describe(`secrets, tokens and a campaign over ${transport}`, () => {
    let system: PlaygroundSystem;
    let watch: JobWatch;

    beforeAll(async () => {
      system = await startPlayground({ transport, pilots: 1 });
      watch = await watchJobs(system.client());
    });

    it('tokens, keys and logs are for their owner alone', async () => {
      const { data } = system;
      const modeOf = async (path: string) => ((await stat(join(data, path))).mode & 0o777).toString(8);
      expect(await modeOf('.')).toBe('700');
      for (const file of [
        ...['token-key.json', 'call-key.json', 'identity.key', 'secrets.keys', 'playground.json', 'token'],
        ...['playground.log', 'pilots/pilot-1.json', 'logs/pilot-1.log'],
      ])
        expect([file, await modeOf(file)]).toEqual([file, '600']);
      const token = (await readFile(join(data, 'token'), 'utf8')).trim();
      expect(await readFile(join(data, 'playground.log'), 'utf8')).not.toContain(token);
    });

    it('accepts the tokens that earlier playgrounds printed', async () => {
      const earlier = await system.identities.issuer.mint({
        ...{ subject: 'newcomer@playground', kind: 'HUMAN', ttlSeconds: 600 },
        grants: [{ experiment: '*', roles: ['ADMIN'] }],
      });
      const { viewer } = await system.api(earlier).data<Viewer>(viewerQuery);
      expect(viewer).toEqual({ subject: 'playground:newcomer@playground', kind: 'HUMAN' });
      const whoami = await commandLineOf(system).run(['--json', 'whoami']);
      expect(whoami.json()).toMatchObject({ subject: 'playground:newcomer' });
    });

    it('stores outputs by folders, and those that a failed attempt keeps', async () => {
      const shell = 'cd "$RHIZOME_OUTPUTS"; mkdir -p logs/a; echo fit > logs/a/fit.log; exit 3';
      const payload = { command: 'sh', arguments: ['-c', shell] };
      const declared = { outputs: ['logs/', '*.png'], keepOnFailure: ['logs/'] };
      const [id = ''] = await submit(system.api(), [
        {
          requirements: { memoryMiB: 64, diskMiB: 1 },
          retry: { maxAttempts: 1 },
          payload: { ...payload, ...declared },
        },
      ]);
      await watch.untilState(id, 'FAILED', 60_000);
      const query =
        'query ($id: ID!) { job(id: $id) { error { code } outputFiles { name } kept: outputFiles(attempt: 1) { name url } } }';
      interface Found {
        readonly job: { readonly kept: readonly { readonly name: string; readonly url: string }[] };
      }
      const { job } = await system.api().data<Found>(query, { id });
      expect(job).toMatchObject({
        ...{ error: { code: 'EXIT_CODE' }, outputFiles: [] },
        kept: [{ name: 'logs/a/fit.log' }],
      });
      expect(await (await fetch(job.kept[0]?.url ?? '')).text()).toBe('fit\n');
    });

    it('stores outputs in the storage, and gives people who may read the job addresses of them', async () => {
      const text = 'made here\n';
      const payload = { command: 'sh', arguments: ['-c', `printf '${text}' > "$RHIZOME_OUTPUTS/o"`] };
      const small = { requirements: { memoryMiB: 64, diskMiB: 1 } };
      const [parent = ''] = await submit(system.api(), [
        { ...small, payload: { ...payload, outputs: ['o'] } },
      ]);
      await watch.untilState(parent, 'FINISHED', 60_000);
      const query = 'query ($id: ID!) { job(id: $id) { outputs { location } outputFiles { url sha256 } } }';
      interface Found {
        readonly job: {
          readonly outputs: readonly { readonly location: string }[];
          readonly outputFiles: readonly { readonly url: string; readonly sha256: string }[];
        };
      }
      const { job } = await system.api().data<Found>(query, { id: parent });
      const [file] = job.outputFiles;
      const answer = await fetch(file?.url ?? '');
      const content = Buffer.from(await answer.arrayBuffer());
      expect(String(content)).toBe(text);
      expect(createHash('sha256').update(content).digest('hex')).toBe(file?.sha256);
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
      const other = new URL(file?.url ?? '');
      other.pathname = other.pathname.replace(/o$/, 'p');
      expect((await fetch(other)).status).toBe(403);

      // A child finds it as output of its parent, and another job by its location.
      const [location] = job.outputs.map((output) => output.location);
      const inputs = [{ name: 'mine', location }];
      const both = 'cmp mine "$RHIZOME_INPUTS/$PARENT/o" && echo "same $(cat mine)"';
      const environment = [{ name: 'PARENT', value: parent }];
      const [child = ''] = await submit(system.api(), [
        {
          ...small,
          dependsOn: [parent],
          payload: { command: 'sh', arguments: ['-c', both], environment, inputs },
        },
      ]);
      await watch.untilState(child, 'FINISHED', 60_000);
      expect(await logOf(system.api(), child)).toBe('same made here\n');
    });

    it('lists, creates, changes and removes storages by the command line', async () => {
      const cli = commandLineOf(system);
      const run = async (...args: readonly string[]) => cli.run(['storage', ...args]);
      expect((await run('list')).stdout).toMatch(
        /playground +FOLDER +http:\/\/127\.0\.0\.1:\d+ +all +all +yes/,
      );
      const address = ['--provider', 's3', '--address', 'https://s3.test', '--bucket', 'histograms'];
      const tried = await run('create', 'tape', ...address, '-e', experiment, '--dry-run');
      expect(tried).toMatchObject({ exitCode: 0, stdout: 'tape would be created' });
      const created = await run('create', 'tape', ...address, '-e', experiment, '--max-file', '5');
      expect(created).toMatchObject({ exitCode: 0, stdout: 'tape  revision 1' });
      const changed = await run('set', 'tape', '--site', 'BNL', '--unset', 'max-file');
      expect(changed).toMatchObject({ exitCode: 0, stdout: 'tape  revision 2' });
      const removed = await run('remove', 'tape');
      expect(removed).toMatchObject({ exitCode: 0, stdout: 'tape  removed' });
      expect(await run('remove', 'tape')).toMatchObject({
        ...{ exitCode: 1, stderr: expect.stringContaining('Storage "tape" not found') },
      });
    });

    it('runs a job with a secret and a token of its own, which reads the job', async () => {
      const cli = commandLineOf(system);
      const created = await cli.run(['secret', 'create', 'PASSWORD'], { stdin: 'of the tour\n' });
      expect(created).toMatchObject({ exitCode: 0, stdout: 'PASSWORD  version 1' });
      const bearer = '"authorization: Bearer $(cat "$RHIZOME_JOB_TOKEN_FILE")"';
      const body = String.raw`printf '{"query":"{ job(id: \\"%s\\") { name state } }"}' "$RHIZOME_JOB_ID"`;
      const call = `curl -s -H ${bearer} -H 'content-type: application/json' -d @- ${system.url}`;
      const shell = `test "$PASSWORD" = 'of the tour' && echo "$PASSWORD" && ${body} | ${call}`;
      const flags = ['-e', experiment, '--secret-variable', 'PASSWORD', '--job-token', '--watch'];
      const { exitCode, stdout } = await cli.run(['submit', ...flags, '--', 'sh', '-c', shell]);
      const [id = ''] = stdout.split('\n');
      const log = await logOf(system.api(), id);
      expect({ exitCode, stdout, log }).toMatchObject({
        exitCode: 0,
        log: expect.stringMatching(/^\*\*\*\n.*"name":"sh","state":"RUNNING"/),
      });
    });

    it('lists, replaces and deletes a secret by name, and shows no value', async () => {
      const cli = commandLineOf(system);
      const text = async (...args: readonly string[]) => (await cli.run(['secret', ...args])).stdout;
      expect(await text('list')).toMatch(/PASSWORD +1 +\d{4}-.* +secret_/);
      const rotated = await cli.run(['secret', 'rotate', 'PASSWORD'], { stdin: 'of a later tour' });
      expect(rotated).toMatchObject({ exitCode: 0, stdout: 'PASSWORD  version 2' });
      expect(await text('delete', 'PASSWORD')).toBe('PASSWORD  deleted');
      expect(await cli.run(['secret', 'delete', 'PASSWORD'])).toMatchObject({
        exitCode: 3,
        stderr: expect.stringContaining('Secret "PASSWORD" not found'),
      });
    });

    campaignTest(() => system, coadds, 600_000);

    it('explains that no worker isolates, and what the host needs for it', async () => {
      await system.api().change('createQueue', { name: 'open', site: 'TOUR' });
      await startPilot(system, { name: 'open', queue: 'open', args: ['--isolation', 'none'] });
      const payload = { command: 'true', isTokenRequired: true };
      const requirements = { memoryMiB: 64, diskMiB: 1, queue: 'open' };
      const [id = ''] = await submit(system.api(), [{ payload, requirements }]);
      await watch.untilState(id, 'ACTIVATED', 60_000);
      const cli = commandLineOf(system);
      const why = () => cli.run(['why', id]).then(({ stdout }) => /needs bubblewrap/.test(stdout) && stdout);
      expect(await waitFor('the reason', why, { deadlineMs: 60_000 })).toContain('has no isolation');
    });
  });
}
