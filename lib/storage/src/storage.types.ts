/** Interface of storages: named places for files, which the providers implement. */
import type { Readable } from 'node:stream';

/** Kinds of storages. */
export const storageKinds = ['FOLDER', 'S3', 'WEBDAV', 'XROOTD'] as const;
export type StorageKind = (typeof storageKinds)[number];

/** A file in a storage. */
export interface StoredFile {
  /** Relative path with `/`; see {@link assertKey}. */
  readonly key: string;
  readonly sizeBytes: number;
  /** Null if the storage does not report it. */
  readonly modifiedAt: Date | null;
  /** In hexadecimal; absent if the storage does not know it. */
  readonly sha256?: string;
}

/** Content to store. Its size and digest are checked while it is transferred. */
export interface FileSource {
  readonly sizeBytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
  /** Opens the content, from its beginning; called again for each try. */
  open(): Readable;
}

/** Content of a file. The caller reads the body to its end, or destroys it. */
export interface FileBody {
  readonly body: Readable;
  /** Size of the whole file, also if only a range of it was asked for. */
  readonly sizeBytes: number;
  /** Changes when the file is replaced; undefined if the storage does not report it. */
  readonly version?: string | undefined;
}

/** Bytes from `start` to `end`, both inclusive and from 0, as in HTTP. */
export interface ByteRange {
  readonly start: number;
  /** To the end of the file, if undefined. */
  readonly end?: number | undefined;
}

/** Options of all calls. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface PutOptions extends CallOptions {
  /** Refuses to replace a file: EXISTS. */
  readonly ifAbsent?: boolean;
}

export interface GetOptions extends CallOptions {
  readonly range?: ByteRange;
  /** For a range: refuses with CORRUPT or INVALID if the file has another version by now. */
  readonly ifVersion?: string | undefined;
}

export interface ListOptions extends CallOptions {
  /** Files after this key. */
  readonly after?: string;
  /** Largest number of files; default and maximum 1,000. */
  readonly limit?: number;
}

/** A part of a list, ordered by the bytes of the keys in UTF-8. */
export interface FileList {
  readonly files: readonly StoredFile[];
  /** For `after` of the next call; null at the end. */
  readonly next: string | null;
}

/** A right to read or to write one file for a limited time. */
export interface StorageGrant extends CallOptions {
  readonly method: 'GET' | 'PUT';
  readonly expiresAt: Date;
  /** For PUT: the only accepted size. */
  readonly sizeBytes?: number;
  /** For PUT: the only accepted digest, in hexadecimal. */
  readonly sha256?: string;
}

/** A request that reads or writes one file without any other credential. */
export interface SignedAddress {
  readonly method: 'GET' | 'PUT';
  /** An http(s) URL; it is as secret as a password. */
  readonly url: string;
  /** Headers that the request must have. */
  readonly headers: Readonly<Record<string, string>>;
  /** Origins that receive the headers, too, when the server redirects to them, as its data servers. */
  readonly trustedOrigins?: readonly string[] | undefined;
  readonly expiresAt: Date;
}

/**
 * A storage. All methods throw StorageError, and nothing else unless a signal aborts them. Each request to a
 * server ends when no data arrives for a limited time.
 */
export interface StorageProvider {
  /**
   * Stores a file, whole or not at all; replaces one with the same key.
   * @throws StorageError CORRUPT if size or digest differ from those of the source
   */
  put(key: string, source: FileSource, options?: PutOptions): Promise<StoredFile>;
  /** @throws StorageError GONE if there is none, INVALID if the range begins after the end of the file */
  get(key: string, options?: GetOptions): Promise<FileBody>;
  /** Null if there is none. */
  head(key: string, options?: CallOptions): Promise<StoredFile | null>;
  /** Files whose keys begin with the prefix; '' for all. */
  list(prefix: string, options?: ListOptions): Promise<FileList>;
  /** Removes a file, if there is one. */
  delete(key: string, options?: CallOptions): Promise<void>;
  /** @throws StorageError INVALID if the storage cannot grant access to one file for a limited time */
  sign(key: string, grant: StorageGrant): Promise<SignedAddress>;
  /** Frees connections. */
  close(): Promise<void>;
}

/** A folder on a file system. Others reach its files through the file service. */
export interface FolderDefinition {
  readonly provider: 'FOLDER';
  /** URL of the file service. */
  readonly address: string;
  /** Path of the folder on this host; without it, files are read and written through the file service. */
  readonly folder?: string | undefined;
}

export interface S3Definition {
  readonly provider: 'S3';
  /** URL of the server. */
  readonly address: string;
  readonly bucket: string;
  /** Default `us-east-1`. */
  readonly region?: string | undefined;
  /** Beginning of all keys in the bucket, without `/` at its end. */
  readonly prefix?: string | undefined;
}

export interface WebDavDefinition {
  readonly provider: 'WEBDAV';
  /** URL of the collection. */
  readonly address: string;
  /** Other origins that get the credential when the server redirects to them, as its data servers. */
  readonly trustedOrigins?: readonly string[] | undefined;
}

export interface XRootDDefinition {
  readonly provider: 'XROOTD';
  /** `root://` or `xroots://` URL of the folder. */
  readonly address: string;
  /** URL of the same folder by WebDAV, where the server has it: for addresses with a limited right. */
  readonly webAddress?: string | undefined;
  /** Other origins that get the credential when the server of `webAddress` redirects to them. */
  readonly trustedOrigins?: readonly string[] | undefined;
}

/** Settings of a storage for its provider. */
export type StorageDefinition = FolderDefinition | S3Definition | WebDavDefinition | XRootDDefinition;

/** Keys of the file service; the first one signs, all are accepted. At least 32 bytes each. */
export interface SigningKeys {
  readonly kind: 'SIGNING_KEYS';
  readonly keys: readonly Uint8Array[];
}

export interface S3Credential {
  readonly kind: 'S3';
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/** A bearer token in a file, which is read for each request: another program may renew it. */
export interface TokenFileCredential {
  readonly kind: 'TOKEN_FILE';
  readonly file: string;
}

/** A client of an OAuth 2.0 token service that issues tokens limited to a path, as in the WLCG profile. */
export interface TokenServiceCredential {
  readonly kind: 'TOKEN_SERVICE';
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly audience?: string | undefined;
}

export type StorageCredential = SigningKeys | S3Credential | TokenFileCredential | TokenServiceCredential;
