// A door that tells when it was opened: node door.js CONNECTION_STRING_FILE CA_FILE [DOOR]. Needs fieldwatch-security in
// node_modules, or on NODE_PATH.
'use strict';
const fs = require('node:fs');
const { Message, Sender } = require('fieldwatch-security');

async function main(connectionStringFile, caFile, door = '1') {
  const message = new Message('door 1.0');
  message.add('Custom', { Name: 'door-opened', ExtraDetails: { door, language: 'node' } });
  const sender = new Sender(fs.readFileSync(connectionStringFile, 'utf8').trim(), { caFile });
  await sender.send(message); // resolves when the hub has it on disk
  sender.close();
}

if (process.argv.length < 4) {
  console.error('usage: node door.js CONNECTION_STRING_FILE CA_FILE [DOOR]');
  process.exit(2);
}
main(...process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exit(1);
});
