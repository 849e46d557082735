import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import {
  access,
  link,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { AllowedNetworks, Connections } from '@rhizome/storage';
import { openFileStore } from './file-store.js';
import { type FoundOutput, OutputFolder } from './output-folder.js';
import { Scratch, type AttemptFolders } from './scratch.js';
import { findOutputs } from './find-outputs.js';
import { stageIn, stageOut } from './staging.js';
import { SignedFiles } from './signed-files.js';
import type { FileStore } from './file-store.types.js';

const open = new AbortController().signal;
/** No file of these tests is in a storage. */
const signed = new SignedFiles(async () => []);
const connections = new Connections(undefined, new AllowedNetworks(['127.0.0.1']));
let folder: string;
let folders: AttemptFolders;
let scratch: Scratch;
let outputFolder: OutputFolder;
let server: Server | undefined;
/** Statuses that the server returns before it serves requests. */
let faults: number[];
let requests: string[];
let tokens: (string | undefined)[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'files-'));
  scratch = new Scratch(join(folder, 'scratch'));
  folders = await scratch.makeFolders('att_1');
  outputFolder = await OutputFolder.open(folders.outputs);
  faults = [];
  requests = [];
  tokens = [];
});
afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
  await outputFolder.close();
  await rm(folder, { recursive: true, force: true });
});

/** Finds outputs of a job that may have four files, of 5 MiB together. */
async function find(entries: readonly string[]): Promise<readonly FoundOutput[]> {
  return findOutputs(entries, outputFolder, { files: 4, bytes: 5 * 1024 ** 2 }, open);
}

/** A server that keeps files in a folder, as WebDAV servers and object stores do for PUT and GET. */
async function serveFiles(): Promise<string> {
  server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    tokens.push(request.headers.authorization);
    const fault = faults.shift();
    const path = join(folder, 'served', decodeURIComponent(request.url ?? ''));
    const act = async (): Promise<void> => {
      if (fault !== undefined) {
        request.resume();
        response.writeHead(fault).end('not now');
      } else if (request.method === 'PUT') {
        await mkdir(dirname(path), { recursive: true });
        await pipeline(request, createWriteStream(path));
        response.writeHead(201).end();
      } else {
        await access(path);
        await pipeline(createReadStream(path), response);
      }
    };
    act().catch(() => response.headersSent || response.writeHead(404).end());
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/base/`;
}

const sha256 = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');

describe.each(['folder', 'http'])('a file store by %s', (kind) => {
  let store: FileStore;

  beforeEach(async () => {
    store = openFileStore(kind === 'http' ? await serveFiles() : join(folder, 'store'));
  });

  it('passes outputs of a job to its child, with size and checksum', async () => {
    const big = Buffer.alloc(3_000_000, 'x');
    await writeFile(join(folders.outputs, 'events €.bin'), big);
    await writeFile(join(folders.outputs, 'empty'), '');
    const found = await find(['events €.bin', 'empty']);
    const stored = await stageOut(found, outputFolder, { jobId: 'job_p', attemptId: 'att_1' }, store, {
      signal: open,
    });
    expect(stored).toEqual([
      {
        name: 'events €.bin',
        location: 'job_p/att_1/events €.bin',
        sizeBytes: 3_000_000,
        sha256: sha256(big),
      },
      { name: 'empty', location: 'job_p/att_1/empty', sizeBytes: 0, sha256: sha256('') },
    ]);
    const child = await scratch.makeFolders('att_2');
    await stageIn(
      { inputs: [], parents: [{ jobId: 'job_p', outputs: stored }] },
      child,
      { store, signed, connections },
      open,
    );
    expect(big.equals(await readFile(join(child.inputs, 'job_p', 'events €.bin')))).toBe(true);
    const manifest: unknown = JSON.parse(await readFile(child.inputsManifest, 'utf8'));
    expect(manifest).toEqual({
      parents: [
        {
          jobId: 'job_p',
          folder: join(child.inputs, 'job_p'),
          files: stored.map(({ location: _, ...file }) => file),
        },
      ],
      inputs: [],
    });
  });

  it('puts files of other nodes into the working folder, and leaves out optional ones', async () => {
    await writeFile(join(folders.outputs, 'fit.root'), 'fit');
    const found = await find(['fit.root']);
    const [output = null] = await stageOut(
      found,
      outputFolder,
      { jobId: 'job_p', attemptId: 'att_1' },
      store,
      { signal: open },
    );
    const file = { node: 'a', name: 'fit.root', isOptional: false, jobId: 'job_p', output };
    const missing = { ...file, path: 'fits/1-fit.root', node: 'b', jobId: null, output: null };
    const child = await scratch.makeFolders('att_3');
    const nodeFiles = [
      { ...file, path: 'one.root' },
      { ...file, path: 'fits/0-fit.root' },
      { ...missing, isOptional: true },
    ];
    const plan = { inputs: [], parents: [] };
    await stageIn({ ...plan, nodeFiles }, child, { store, signed, connections }, open);
    expect(await readFile(join(child.work, 'one.root'), 'utf8')).toBe('fit');
    expect(await readdir(join(child.work, 'fits'))).toEqual(['0-fit.root']);
    expect(JSON.parse(await readFile(child.inputsManifest, 'utf8'))).toMatchObject({
      nodes: [
        { node: 'a', name: 'fit.root', path: join(child.work, 'one.root'), sha256: sha256('fit') },
        { node: 'a', path: join(child.work, 'fits', '0-fit.root') },
      ],
    });
    await expect(
      stageIn({ ...plan, nodeFiles: [missing] }, child, { store, signed, connections }, open),
    ).rejects.toMatchObject({
      ...{ family: 'DATA', code: 'INPUT_MISSING', retryable: false },
      message: 'Input "fits/1-fit.root": node "b" has stored no output "fit.root"',
    });
    await expect(
      stageIn(
        { ...plan, nodeFiles: [{ ...file, path: '../x' }] },
        child,
        { store, signed, connections },
        open,
      ),
    ).rejects.toMatchObject({ code: 'INPUT_INVALID' });
  });

  it('keeps no partial files, and no attempt replaces the files of another', async () => {
    await writeFile(join(folders.outputs, 'a'), 'first');
    const found = await find(['a']);
    const [first] = await stageOut(found, outputFolder, { jobId: 'job_p', attemptId: 'att_1' }, store, {
      signal: open,
    });
    await writeFile(join(folders.outputs, 'a'), 'second');
    await stageOut(await find(['a']), outputFolder, { jobId: 'job_p', attemptId: 'att_2' }, store, {
      signal: open,
    });
    await store.get(first?.location ?? '', join(folder, 'fetched'), open);
    expect(await readFile(join(folder, 'fetched'), 'utf8')).toBe('first');
    const names = (await readdir(folder, { recursive: true })).filter((name) => name.includes('.part'));
    expect(names).toEqual([]);
  });

  it('refuses keys that lead out of it', async () => {
    for (const place of ['../secret', 'a/../../secret', '/etc/passwd']) {
      await expect(store.get(place, join(folder, 'x'), open)).rejects.toThrow(
        /not a key of the file store|404/,
      );
    }
  });

  it('fails the attempt with the name of a missing file', async () => {
    const missing = { name: 'gone', location: 'job_p/att_1/gone' };
    await expect(
      stageIn({ inputs: [missing], parents: [] }, folders, { store, signed, connections }, open),
    ).rejects.toMatchObject({
      family: 'DATA',
      code: 'INPUT_UNAVAILABLE',
      message: expect.stringContaining('Input "gone" from job_p/att_1/gone could not be fetched'),
      retryable: true,
    });
    expect(requests.length).toBeLessThanOrEqual(1);
  });

  it('fails the attempt if a file differs from what its parent stored', async () => {
    await writeFile(join(folders.outputs, 'a'), 'content');
    const stored = await stageOut(
      await find(['a']),
      outputFolder,
      { jobId: 'job_p', attemptId: 'att_1' },
      store,
      { signal: open },
    );
    const outputs = stored.map((file) => ({ ...file, sha256: sha256('other') }));
    await expect(
      stageIn(
        { inputs: [], parents: [{ jobId: 'job_p', outputs }] },
        folders,
        { store, signed, connections },
        open,
      ),
    ).rejects.toMatchObject({
      code: 'INPUT_CORRUPT',
    });
  });
});

describe('stageIn', () => {
  it.each(['gsiftp://eos.test//a', 's3://bucket/a', 'FILE:///etc/passwd'])(
    'refuses an input from %s before it fetches any other',
    async (location) => {
      const url = await serveFiles();
      const store = openFileStore(join(folder, 'store'));
      const inputs = [
        { name: 'good', location: `${url}good` },
        { name: 'bad', location },
      ];
      const scheme = location.split(':')[0]?.toLowerCase();
      await expect(
        stageIn({ inputs, parents: [] }, folders, { store, signed, connections }, open),
      ).rejects.toMatchObject({
        family: 'DATA',
        code: 'INPUT_INVALID',
        message: `Input "bad": workers cannot fetch from ${scheme}://; the location must be an http(s) URL, a location in a storage, or a path in the file store`,
        retryable: false,
      });
      expect(requests).toEqual([]);
    },
  );
});

describe('a file server', () => {
  it('is asked again after a temporary error', async () => {
    const store = openFileStore(await serveFiles());
    await writeFile(join(folder, 'a'), 'content');
    faults = [503, 500];
    await store.put(join(folder, 'a'), 'job_p/a', open);
    faults = [502];
    await store.get('job_p/a', join(folder, 'b'), open);
    expect(await readFile(join(folder, 'b'), 'utf8')).toBe('content');
    expect(requests).toHaveLength(5);
  });

  it('is asked once if it refuses, and no credentials are in the error', async () => {
    const url = new URL(await serveFiles());
    faults = [403];
    const location = `http://user:secret@${url.host}/x?signature=secret`;
    const staging = stageIn(
      { inputs: [{ name: 'x', location }], parents: [] },
      folders,
      { store: openFileStore(folder), signed, connections },
      open,
    );
    const error: unknown = await staging.catch((caught: unknown) => caught);
    expect(String(error)).toContain(`GET http://${url.host}/x returned status 403`);
    expect(String(error)).not.toContain('secret');
    expect(requests).toHaveLength(1);
  });

  it('gets its token with each transfer, and servers that jobs name do not', async () => {
    const url = await serveFiles();
    let count = 0;
    const store = openFileStore(url, () => `token-${(count += 1)}`);
    await store.put(new URL(import.meta.url).pathname, 'data.json', open);
    await store.get('data.json', join(folder, 'copy'), open);
    const input = { name: 'in.json', location: `${url}data.json` };
    await stageIn({ inputs: [input], parents: [] }, folders, { store, signed, connections }, open);
    expect(tokens).toEqual(['Bearer token-1', 'Bearer token-2', undefined]);
  });

  it('is not asked for inputs at an address that the site does not allow', async () => {
    const url = await serveFiles();
    const inputs = [{ name: 'in.json', location: `${url}data.json` }];
    const closed = new Connections(undefined, new AllowedNetworks([]));
    const sources = { store: openFileStore(folder), signed, connections: closed };
    await expect(stageIn({ inputs, parents: [] }, folders, sources, open)).rejects.toMatchObject({
      ...{ family: 'DATA', code: 'INPUT_ADDRESS_REFUSED', retryable: true },
      message: expect.stringContaining('127.0.0.1 is this machine'),
    });
    expect(requests).toEqual([]);
  });

  it('is not read beyond the declared size of an input, or the scratch space of the job', async () => {
    const url = await serveFiles();
    await openFileStore(url).put(new URL(import.meta.url).pathname, 'data.json', open);
    const sources = { store: openFileStore(folder), signed, connections, limitBytes: 100 };
    const fetch = async (sizeBytes?: number): Promise<void> => {
      const input = { name: 'in.json', location: `${url}data.json`, ...(sizeBytes && { sizeBytes }) };
      await stageIn({ inputs: [input], parents: [] }, folders, sources, open);
    };
    await expect(fetch()).rejects.toMatchObject({
      ...{ family: 'LIMIT', code: 'DISK_EXCEEDED', retryable: false },
      message: expect.stringContaining('more than 100 bytes'),
    });
    await expect(fetch(7)).rejects.toMatchObject({
      code: 'INPUT_CORRUPT',
      message: expect.stringContaining('more than 7 bytes'),
    });
    expect(await readdir(folders.work)).toEqual([]);
  });

  it('provides declared inputs by URL', async () => {
    const url = await serveFiles();
    await openFileStore(url).put(new URL(import.meta.url).pathname, 'data.json', open);
    await stageIn(
      { inputs: [{ name: 'in.json', location: `${url}data.json` }], parents: [] },
      folders,
      { store: openFileStore(folder), signed, connections },
      open,
    );
    expect(await readdir(folders.work)).toEqual(['in.json']);
  });
});

describe('findOutputs', () => {
  it('names all outputs that are missing', async () => {
    await writeFile(join(folders.outputs, 'there'), '');
    await expect(find(['a', 'there', 'b'])).rejects.toMatchObject({
      code: 'OUTPUT_MISSING',
      message: 'Declared outputs are missing, or are not regular files in the output folder: "a", "b"',
    });
  });

  it('refuses links, folders and files outside of the output folder', async () => {
    await symlink('/etc/hostname', join(folders.outputs, 'link'));
    await mkdir(join(folders.outputs, 'folder'));
    await symlink('folder', join(folders.outputs, 'to-folder'));
    await writeFile(join(folders.outputs, 'folder', 'file'), '');
    const refused = [
      'link',
      'folder',
      '../inputs.json',
      '..',
      '',
      'to-folder/file',
      'to-folder/',
      '../*',
      '/',
    ];
    for (const name of refused) await expect(find([name])).rejects.toMatchObject({ code: 'OUTPUT_MISSING' });
  });

  describe('of folders and patterns', () => {
    const make = async (...paths: readonly string[]): Promise<void> => {
      for (const path of paths) {
        await mkdir(dirname(join(folders.outputs, path)), { recursive: true });
        await writeFile(join(folders.outputs, path), path);
      }
    };
    const names = async (entries: readonly string[]): Promise<readonly string[]> =>
      (await find(entries)).map(({ name }) => name);

    it('finds what they contain, each file once', async () => {
      await make('plots/b.png', 'plots/a.png', 'plots/log', 'plots/old/c.png', 'x.root', 'other/file');
      expect(await names(['plots/*.png'])).toEqual(['plots/a.png', 'plots/b.png']);
      expect(await names(['plots/', 'plots/*.png'])).toEqual(
        ['a.png', 'b.png', 'log', 'old/c.png'].map((name) => `plots/${name}`),
      );
      expect(await names(['x.root', '**/*.png'])).toEqual([
        ...['x.root', 'plots/a.png', 'plots/b.png', 'plots/old/c.png'],
      ]);
      expect(await names(['*/*/*.png'])).toEqual(['plots/old/c.png']);
    });

    it('accepts an empty folder, and no folder or pattern without anything', async () => {
      await mkdir(join(folders.outputs, 'empty'));
      expect(await names(['empty/'])).toEqual([]);
      await expect(find(['gone/', 'gone/*.png', '*.png'])).rejects.toMatchObject({
        code: 'OUTPUT_MISSING',
        message: expect.stringContaining(
          '"gone/", "gone/*.png" (no file matches), "*.png" (no file matches)',
        ),
      });
    });

    it('follows no link, and refuses those that match', async () => {
      await make('results/a', 'file');
      await symlink('/etc', join(folders.outputs, 'results', 'etc'));
      await link(join(folders.outputs, 'file'), join(folders.outputs, 'results', 'hard'));
      await expect(find(['results/'])).rejects.toMatchObject({
        code: 'OUTPUT_MISSING',
        message: expect.stringMatching(/"results\/etc" \(it is a link\), "results\/hard" \(it has several/),
      });
      expect(await names(['results/a*'])).toEqual(['results/a']);
      await expect(find(['**/hostname'])).rejects.toMatchObject({
        message: expect.stringContaining('no file matches'),
      });
    });

    it('refuses more files and more bytes than the job may store, without reading them', async () => {
      await make('a/1', 'a/2', 'a/3', 'a/4', 'a/5');
      await expect(find(['a/'])).rejects.toMatchObject({
        ...{ family: 'DATA', code: 'OUTPUT_LIMIT_EXCEEDED', retryable: false },
        message: 'Outputs exceed a limit: "a/5" (more than 4 files)',
      });
      await truncate(join(folders.outputs, 'a', '1'), 2 ** 40);
      await expect(find(['a/1'])).rejects.toMatchObject({
        message:
          'Outputs exceed a limit: "a/1" (all outputs together have more than 5 MiB, the scratch space of the job)',
      });
    });

    it('refuses a tree that is deeper than it may be', async () => {
      await make(`${'d/'.repeat(40)}x`);
      await expect(find(['**/x'])).rejects.toMatchObject({ code: 'OUTPUT_LIMIT_EXCEEDED' });
    });

    it('passes them to a child with their folders', async () => {
      await make('plots/a.png', 'plots/old/c.png');
      const store = openFileStore(join(folder, 'store'));
      const attempt = { jobId: 'job_p', attemptId: 'att_1' };
      const stored = await stageOut(await find(['plots/']), outputFolder, attempt, store, { signal: open });
      expect(stored.map(({ location }) => location)).toEqual([
        ...['job_p/att_1/plots/a.png', 'job_p/att_1/plots/old/c.png'],
      ]);
      const plan = { inputs: [], parents: [{ jobId: 'job_p', outputs: stored }] };
      await stageIn(plan, folders, { store, signed, connections }, open);
      const path = join(folders.inputs, 'job_p', 'plots', 'old', 'c.png');
      expect(await readFile(path, 'utf8')).toBe('plots/old/c.png');
      const outside = stored.map((file) => ({ ...file, name: '../../x' }));
      await expect(
        stageIn(
          { ...plan, parents: [{ jobId: 'job_p', outputs: outside }] },
          folders,
          { store, signed, connections },
          open,
        ),
      ).rejects.toMatchObject({ code: 'INPUT_INVALID' });
    });
  });
});
