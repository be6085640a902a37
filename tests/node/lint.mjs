// GitHub's own validator over workflow and action files: node lint.bundle.mjs ROOT FILE...
//
// Prints one `file:line:column: message` per finding; exit code 1 if there is any. It has to be
// bundled: the package imports JSON without the attribute that Node asks for.

import { readFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { validate } from "@actions/languageservice";
import { TextDocument } from "vscode-languageserver-textdocument";

const [root, ...files] = process.argv.slice(2);

// What `uses: $/path` names: an action's folder, or a workflow file.
const fileProvider = {
  async getFileContent(reference) {
    const path = reference.path ?? reference.file;
    return { name: path, content: await readFile(join(root, path), "utf8") };
  },
};

let findings = 0;
for (const file of files) {
  const text = await readFile(file, "utf8");
  const uri = pathToFileURL(resolve(file)).href;
  const document = TextDocument.create(uri, "yaml", 1, text);
  for (const { range, message } of await validate(document, { fileProvider })) {
    const { line, character } = range.start;
    console.log(`${relative(root, file)}:${line + 1}:${character + 1}: ${message}`);
    findings += 1;
  }
}
process.exitCode = findings ? 1 : 0;
