/**
 * Certificates for a test, made by openssl when the test runs: the repository holds none, as they
 * could expire.
 */

import { runCommand } from "./run.ts";

/** Options for keys that take no time to make. */
const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/**
 * Makes `ca.pem`, and `server.pem` with `server.key` for the given name and for no other, in the
 * given folder.
 */
export async function certificates(
  folder: string,
  name = "DNS:localhost",
): Promise<{ caFile: string }> {
  const openssl = async (...args: string[]) => {
    const { code, stderr } = await runCommand("openssl", args, { cwd: folder });
    if (code !== 0) throw new Error(`Cannot make certificates: openssl ${args[0]} says ${stderr}`);
  };
  const days = ["-days", "2"];
  await openssl(
    ...["req", "-x509", ...NEW_KEY, ...days, "-subj", "/CN=authority of a test"],
    ...["-keyout", "ca.key", "-out", "ca.pem"],
  );
  await openssl(
    ...["req", ...NEW_KEY, "-subj", "/CN=localhost"],
    ...["-keyout", "server.key", "-out", "server.csr"],
  );
  await Deno.writeTextFile(
    `${folder}/server.cnf`,
    `basicConstraints=CA:FALSE\nsubjectAltName=${name}\n`,
  );
  await openssl(
    ...["x509", "-req", ...days, "-in", "server.csr", "-extfile", "server.cnf"],
    ...["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "server.pem"],
  );
  return { caFile: `${folder}/ca.pem` };
}
