/** Files that look like secrets, which are not uploaded unless their names are given. */

/** Names, with what they are. */
const names: readonly (readonly [RegExp, string])[] = [
  [/^\.env(?!\.(example|sample|template|dist)$)(\..+)?$/i, 'an environment file'],
  [/^[._]netrc$/i, 'passwords for hosts'],
  [/^\.(pgpass|my\.cnf|npmrc|pypirc|git-credentials|htpasswd|dockercfg|vault-token|s3cfg)$/i, 'credentials'],
  [/^id_(rsa|dsa|ecdsa|ed25519)(_sk)?$/i, 'an SSH key'],
  [/\.(key|p12|pfx|jks|keystore|kdbx|ppk)$/i, 'a key store'],
  [/^(kubeconfig|.+\.kubeconfig)$/i, 'access to a cluster'],
  [/^((application_default_)?credentials|client_secrets?|service[-_]account.*)\.json$/i, 'credentials'],
  [/^(x509up_u\d+|userkey\.pem)$/, 'a grid credential'],
  [/^(bt_u\d+.*|\.?(access|bearer|refresh)?[-_]?token(\.(txt|json))?)$/i, 'a token'],
];

/** Paths, with what they are. */
const paths: readonly (readonly [RegExp, string])[] = [
  [/(^|\/)\.ssh\/(?!.*\.pub$|known_hosts|config$)/, 'a file of SSH'],
  [/(^|\/)\.gnupg\//, 'a file of GnuPG'],
  [/(^|\/)\.kube\/config$/, 'access to a cluster'],
  [/(^|\/)\.aws\/credentials$/, 'credentials'],
  [/(^|\/)\.docker\/config\.json$/, 'credentials'],
  [/(^|\/)\.globus\//, 'a grid credential'],
];

/** Texts in files, with what they are. */
const texts: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----/, 'a private key'],
  [/(?<![A-Za-z0-9])(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Za-z0-9])/, 'an access key of AWS'],
  [/(?<![A-Za-z0-9])(?:gh[a-z]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})/, 'a token of GitHub'],
  [/(?:^|\n)\s*["']?client-key-data["']?\s*:/, 'access to a cluster'],
  [/"(?:private_key|refresh_token)"\s*:\s*"[^"]/, 'credentials'],
  [/(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/, 'a JSON Web Token'],
  [/(?<![A-Za-z0-9])glpat-[A-Za-z0-9_-]{20}/, 'a token of GitLab'],
];

/** Bytes of a file that are looked at. */
export const inspectedBytes = 64 * 1024;

/**
 * Kind of secret that a file with this path seems to be; undefined for none.
 * @param root folder that the path is below, for files such as `config` in `~/.kube`
 */
export function secretByPath(path: string, root = ''): string | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const parent = root.split(/[\\/]/).at(-1) ?? '';
  return whatOf(names, name) ?? whatOf(paths, `${parent}/${path}`);
}

/** Kind of secret that a file with this beginning seems to have; undefined for none. */
export function secretByContent(beginning: Buffer): string | undefined {
  return whatOf(texts, beginning.subarray(0, inspectedBytes).toString('latin1'));
}

const whatOf = (rules: readonly (readonly [RegExp, string])[], text: string): string | undefined =>
  rules.find(([pattern]) => pattern.test(text))?.[1];
