import { DomainError } from '@rhizome/errors';
import { run } from './run.js';

/** Oldest server whose features the code needs. */
const oldest = [6, 0] as const;

/** Shared libraries that MongoDB's builds need and a bare Debian lacks. */
const debianPackages = ['libcurl4', 'libssl3', 'liblzma5'] as const;

/** A mongod that was started with `--version`. */
export interface VerifiedMongod {
  readonly path: string;
  /** As it says: `6.0.5`. */
  readonly version: string;
}

/**
 * Starts a binary with `--version` and reads what it says.
 * @throws DomainError MONGOD_UNAVAILABLE; where a shared library is missing it names the command that
 *   installs it.
 */
export async function verifyMongod(path: string): Promise<VerifiedMongod> {
  const { code, signal, output, startError } = await run(path, ['--version'], {
    signal: AbortSignal.timeout(20_000),
  });
  const version = /db version v(\d+\.\d+\.\d+\S*)/.exec(output)?.[1];
  if (code !== 0 || !version) throw unusable(path, explain({ code, signal, output, startError }), output);
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < oldest[0] || (major === oldest[0] && minor < oldest[1])) {
    throw unusable(path, `it is version ${version}; expected ${oldest.join('.')} or newer`);
  }
  return { path, version };
}

/** True when the only thing wrong is a missing library: fetching again would not help. */
export function lacksLibrary(error: unknown): boolean {
  return error instanceof DomainError && error.details['missingLibrary'] !== undefined;
}

function unusable(path: string, reason: string, output = ''): DomainError {
  const missingLibrary = missingIn(output);
  return new DomainError('MONGOD_UNAVAILABLE', `mongod at ${path} cannot be used: ${reason}`, {
    field: 'mongod',
    value: path,
    expected: 'a mongod that starts',
    ...(missingLibrary ? { missingLibrary } : {}),
  });
}

function explain(result: {
  code: number | null;
  signal: NodeJS.Signals | null;
  output: string;
  startError: NodeJS.ErrnoException | undefined;
}): string {
  if (result.startError)
    return `it cannot be started (${result.startError.code ?? result.startError.message})`;
  const library = missingIn(result.output);
  if (library) {
    return `the shared library ${library} is missing; on Debian or Ubuntu run: apt-get install -y ${debianPackages.join(' ')}`;
  }
  if (result.signal === 'SIGILL') return 'the processor lacks AVX, which MongoDB 5.0 and newer need';
  if (result.signal) return `it was ended by ${result.signal}`;
  return `mongod --version gave ${JSON.stringify(result.output.slice(0, 200))} (exit code ${result.code})`;
}

/** The words of the dynamic loader of glibc and of macOS. */
function missingIn(output: string): string | undefined {
  return (
    /error while loading shared libraries: ([^:\s]+)/.exec(output)?.[1] ??
    /version `([^']+)' not found/.exec(output)?.[1] ??
    /Library not loaded: (\S+)/.exec(output)?.[1]
  );
}
