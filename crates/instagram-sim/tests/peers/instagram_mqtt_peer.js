// Drives instagram_mqtt (with instagram-private-api) against a simulator. One JSON object a line in and out; the first
// line in is the configuration. The only thing changed is where the two connect to: the base address of requests, and
// the host and port of the TLS socket.

const readline = require('node:readline');
const tls = require('node:tls');
const fs = require('node:fs');
const { createRequire } = require('node:module');

const installed = createRequire(process.env.PUPPETGRAM_NODE_MODULES.replace(/\/+$/, '') + '/index.js');
const { IgApiClient } = installed('instagram-private-api');
const { withRealtime, GraphQLSubscriptions, SkywalkerSubscriptions } = installed('instagram_mqtt');

const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => JSON.parse((await lines.next()).value);
const say = (fields) => process.stdout.write(JSON.stringify(fields) + '\n');

async function until(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function main() {
  const setup = await next();
  const ca = fs.readFileSync(setup.ca_file);
  const [host, port] = setup.realtime.split(':');
  const connect = tls.connect;
  tls.connect = (options, ...rest) =>
    options.host === 'edge-mqtt.facebook.com'
      ? connect({ ...options, host, port: Number(port), ca }, ...rest)
      : connect(options, ...rest);

  const ig = withRealtime(new IgApiClient());
  ig.state.generateDevice('anna');
  const send = ig.request.send.bind(ig.request);
  ig.request.send = (options, only) => {
    const headers = { ...options.headers, Host: setup.api };
    return send({ ...options, headers, baseUrl: `https://${setup.api}/`, ca, strictSSL: true }, only);
  };
  await ig.state.deserializeCookieJar(
    JSON.stringify({
      version: 'tough-cookie@2.5.0',
      storeType: 'MemoryCookieStore',
      rejectPublicSuffixes: true,
      cookies: [
        ['sessionid', setup.sessionid],
        ['ds_user_id', setup.pk],
      ].map(([key, value]) => ({ key, value, domain: 'instagram.com', path: '/', secure: true })),
    }),
  );
  const fields = { ds_user_id: setup.pk, sessionid: setup.sessionid };
  ig.state.authorization = `Bearer IGT:2:${Buffer.from(JSON.stringify(fields)).toString('base64')}`;

  const user = await ig.account.currentUser();
  say({ step: 'account', username: user.username });
  const inbox = await ig.feed.directInbox().request();
  say({ step: 'inbox', threads: inbox.inbox.threads.map((thread) => thread.thread_id), seq_id: inbox.seq_id });

  const messages = [];
  const answers = [];
  const typing = [];
  const subscribed = [];
  ig.realtime.on('message', (event) => messages.push(event.message));
  ig.realtime.on('direct', (event) => typing.push(event));
  ig.realtime.on('receive', (topic, parsed) => {
    if (topic.id === '133') answers.push(...parsed.map((one) => one.data));
    if (topic.id === '135') subscribed.push(...parsed.map((one) => one.data));
  });
  ig.realtime.on('error', (error) => {
    say({ step: 'error', message: String(error) });
    process.exit(1);
  });
  await ig.realtime.connect({
    graphQlSubs: [
      GraphQLSubscriptions.getAppPresenceSubscription(),
      GraphQLSubscriptions.getDirectTypingSubscription(setup.pk),
      GraphQLSubscriptions.getDirectStatusSubscription(),
    ],
    skywalkerSubs: [SkywalkerSubscriptions.directSub(setup.pk)],
    irisData: { seq_id: inbox.seq_id, snapshot_at_ms: inbox.snapshot_at_ms },
    autoReconnect: false,
  });
  await until(() => subscribed.length > 0);
  say({ step: 'subscribed', answer: subscribed[0] });

  for (const text of setup.send) await ig.realtime.direct.sendText({ threadId: setup.thread, text });
  await until(() => answers.length >= setup.send.length);
  say({ step: 'sent', statuses: answers.map((answer) => answer.status) });

  const wanted = (await next()).expect;
  const received = () => messages.filter((message) => String(message.user_id) === setup.other).map((one) => one.text);
  await until(() => received().length >= wanted && typing.length > 0);
  say({ step: 'received', texts: received(), typing: typing[0].path });
  await ig.realtime.disconnect();
  say({ step: 'end' });
  process.exit(0);
}

main().catch((error) => {
  say({ step: 'error', message: String((error && error.stack) || error) });
  process.exit(1);
});
