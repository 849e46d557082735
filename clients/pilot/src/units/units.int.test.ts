/** Payloads that work on units: with `rhizome-job units`, and by the examples of the documentation. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { testIsolation } from '../testing/pilot-options.js';
import { pilotSetup } from '../testing/pilot-setup.js';
import { ScriptedUnits } from '../testing/scripted-units.js';

const setup = pilotSetup();

/** Runs a payload in a sandbox with a network of its own. Returns its log. */
async function run(shell: string, units: ScriptedUnits): Promise<string> {
  setup.core.units = units;
  setup.start({ isolation: { ...testIsolation, isolatesNetwork: true, readable: [setup.folder] } });
  const payload = { isTokenRequired: true };
  setup.core.add({ jobId: 'job_a', shell: `exec 2>&1\n${shell}`, payload });
  await setup.core.until('job_a ends', setup.ended('job_a'));
  return setup.core.logOf('job_a');
}

const ids = (units: readonly { readonly id: string }[]): readonly string[] => units.map(({ id }) => id);

/** The example of the documentation in a language. */
function example(language: string): string {
  const page = new URL('../../../../docs/reference/work-unit-socket.md', import.meta.url);
  const [, text] = new RegExp('```' + language + '\n([^]*?)```').exec(readFileSync(page, 'utf8')) ?? [];
  if (text === undefined) throw new Error(`the documentation has no example in ${language}`);
  return text;
}

async function writeExample(language: string, name: string): Promise<string> {
  await mkdir(setup.folder, { recursive: true });
  const path = join(setup.folder, name);
  await writeFile(path, example(language));
  return path;
}

describe('rhizome-job units', () => {
  it('hands each unit to the command as a file', async () => {
    const units = new ScriptedUnits(['one', 'bad', 'worse', 'four\nlines']);
    const log = await run(
      `rhizome-job units --pool slices --max 3 -- sh -c '
        case $(cat "$1") in bad) exit 3 ;; worse) exit 65 ;; esac
        echo "$RHIZOME_UNIT_KEY: $(wc -c <"$1")"
        tr a-z A-Z <"$1" >"$RHIZOME_UNIT_RESULT"' work; echo code $?; ls "$RHIZOME_UNITS/batches"`,
      units,
    );
    expect(log).toBe(
      'key 1: 3\nkey 4: 10\nrhizome-job: the pool is closed and empty; 2 units completed, 2 failed\ncode 0\n',
    );
    expect(units.completed).toEqual([
      { id: 'unit_A.1.0', fence: 1, seconds: expect.any(Number), result: 'ONE' },
      { id: 'unit_A.1.3', fence: 1, seconds: expect.any(Number), result: 'FOUR\nLINES' },
    ]);
    expect(units.failed).toEqual([
      { id: 'unit_A.1.1', fence: 1, kind: 'RETRY', message: 'The command ended with exit code 3.' },
      { id: 'unit_A.1.2', fence: 1, kind: 'DEAD', message: 'The command ended with exit code 65.' },
    ]);
  });

  it('adds the nodes of a file to the workflow, and says why it does not', async () => {
    const units = new ScriptedUnits();
    const log = await run(
      `printf '[{"name": "a\\\\tb"}, {"name": "c"}]' >list.json; echo '{"nodes": []}' >none.json; echo x >bad.json
      rhizome-job nodes add --key fits list.json; echo code $?
      rhizome-job nodes add none.json; echo code $?
      rhizome-job nodes add bad.json 2>&1 | cut -c1-35; rhizome-job nodes add missing.json; echo code $?
      ls "$RHIZOME_UNITS/batches" | grep -c fits`,
      units,
    );
    expect(log).toBe(
      [
        ...['rhizome-job: 2 nodes are added if the attempt succeeds', 'code 0'],
        ...['rhizome-job: nodes: 0 entries are too few', 'code 65'],
        ...[
          'rhizome-job: the file is not JSON: ',
          'rhizome-job: "missing.json" cannot be read',
          'code 65',
          '0\n',
        ],
      ].join('\n'),
    );
    expect([...units.added]).toEqual([['fits', [{ name: 'a\tb' }, { name: 'c' }]]]);
  });

  it('hands a batch to the command as lines', async () => {
    const units = new ScriptedUnits(['one', 'two\n', 'four']);
    const log = await run('rhizome-job units --pool slices --max 4 --lines tr a-z A-Z; echo code $?', units);
    expect(log).toBe(
      'ONE\nTWO\nFOUR\nrhizome-job: the pool is closed and empty; 3 units completed, 0 failed\ncode 0\n',
    );
    expect(ids(units.completed)).toEqual(['unit_A.1.0', 'unit_A.1.1', 'unit_A.1.2']);
  });

  it('returns a batch with a payload of several lines that are wanted as lines', async () => {
    const units = new ScriptedUnits(['one', 'two\nlines']);
    const log = await run('rhizome-job units --pool slices --max 4 --lines tr a-z A-Z; echo code $?', units);
    expect(log).toContain('has several lines; run the command without --lines\ncode 65\n');
    expect(units.failed.map(({ kind }) => kind)).toEqual(['RETURN', 'RETURN']);
  });

  it('extends the leases of a batch while the command runs, also after SIGTERM', async () => {
    const units = new ScriptedUnits(['one', 'two']);
    units.leaseSeconds = 3;
    const go = join(setup.folder, 'go');
    const command = `sh -c 'kill -TERM $PPID; until [ -e ${go} ]; do sleep 0.1; done; exit 1' work`;
    const ending = run(
      `trap : TERM; rhizome-job units --pool slices --max 2 ${command}; echo code $?`,
      units,
    );
    while (units.extended.length < 4) await new Promise(setImmediate);
    await writeFile(go, '');
    expect(await ending).toContain('rhizome-job: ended by SIGTERM; 0 units completed, 0 failed\ncode 143\n');
    expect(ids(units.extended).slice(0, 4)).toEqual(['unit_A.1.0', 'unit_A.1.1', 'unit_A.1.0', 'unit_A.1.1']);
    expect(units.failed.map(({ kind }) => kind)).toEqual(['RETURN', 'RETURN']);
  });

  it('reports what is done of a long batch before its end', async () => {
    const units = new ScriptedUnits(['one', 'two']);
    units.leaseSeconds = 3;
    const go = join(setup.folder, 'go');
    const command = `sh -c 'sleep 1.1; case $(cat "$1") in two) until [ -e ${go} ]; do sleep 0.1; done ;; esac' work`;
    const ending = run(`rhizome-job units --pool slices --max 2 ${command}; echo code $?`, units);
    while (units.completed.length < 1) await new Promise(setImmediate);
    await writeFile(go, '');
    expect(await ending).toContain('2 units completed, 0 failed\ncode 0\n');
  });

  it('leases no more once the job is about to end, or SIGTERM has come while it waits', async () => {
    const units = new ScriptedUnits([]);
    units.isOpen = true;
    const log = await run(
      `: >noticed; RHIZOME_DEADLINE_FILE=noticed rhizome-job units --pool slices true; echo code $?
       rhizome-job units --pool slices true & job=$!
       sleep 1; kill -TERM $job; wait $job; echo code $?`,
      units,
    );
    expect(log.split('\n')).toEqual([
      'rhizome-job: the job is about to end; 0 units completed, 0 failed',
      'code 143',
      'rhizome-job: ended by SIGTERM; 0 units completed, 0 failed',
      'code 143',
      '',
    ]);
    expect([units.leases, units.waiting]).toEqual([1, 0]);
  });

  it('ends after the idle time, returns what it has not begun on SIGTERM, and says what is wrong', async () => {
    const units = new ScriptedUnits(['one', 'two', 'three']);
    units.isOpen = true;
    const stop = `sh -c 'kill -TERM $PPID' work`;
    const log = await run(
      `rhizome-job units --pool slices --max 3 -- ${stop}; echo code $?
       rhizome-job units --pool slices --idle 00 true; echo code $?
       rhizome-job units --pool nowhere true; echo code $?
       RHIZOME_UNITS= rhizome-job units --pool slices true; echo code $?`,
      units,
    );
    expect(log.split('\n')).toEqual([
      'rhizome-job: ended by SIGTERM; 1 units completed, 0 failed',
      'code 143',
      'rhizome-job: no units for 0 s; 0 units completed, 0 failed',
      'code 0',
      'rhizome-job: Pool "nowhere" not found.',
      'code 65',
      expect.stringContaining('RHIZOME_UNITS is not a folder'),
      'code 69',
      '',
    ]);
    expect(ids(units.completed)).toEqual(['unit_A.1.0']);
    expect(units.failed.map(({ id, kind }) => [id, kind])).toEqual([
      ['unit_A.1.1', 'RETURN'],
      ['unit_A.1.2', 'RETURN'],
    ]);
  });
});

describe('a documented example', () => {
  it('works in Python', async () => {
    const path = await writeExample('python', 'example.py');
    const units = new ScriptedUnits(['one', 'two', 'ørn']);
    const log = await run(`python3 ${path}; echo code $?; grep -c : /proc/net/dev`, units);
    // It has no interface but the loopback of its own network.
    expect(log).toBe('code 0\n1\n');
    expect(units.completed.map(({ result }) => result)).toEqual(['ONE', 'TWO', 'ØRN']);
  });

  it('works in a shell', async () => {
    const units = new ScriptedUnits(['one', 'two']);
    expect(await run(`${example('sh')}\necho code $?`, units)).toContain('code 0\n');
    expect(units.completed.map(({ result }) => result)).toEqual(['ONE', 'TWO']);
  });

  const missing =
    spawnSync('g++', ['--version']).status === 0 ? '' : ', except that the program g++ is missing';

  it(`works in C++${missing}`, async () => {
    if (missing !== '') return;
    const path = await writeExample('cpp', 'example.cpp');
    const program = join(setup.folder, 'example');
    expect(spawnSync('g++', ['-o', program, path]).stderr.toString()).toBe('');
    const units = new ScriptedUnits(['one', 'two']);
    const log = await run(`${program}; echo code $?`, units);
    expect(log).toBe('working on one\nworking on two\ncode 0\n');
    expect(units.completed.map(({ id, result }) => [id, result])).toEqual([
      ['unit_A.1.0', 'done'],
      ['unit_A.1.1', 'done'],
    ]);
  });
});
