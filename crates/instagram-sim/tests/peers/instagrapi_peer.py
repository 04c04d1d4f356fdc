"""Drives instagrapi against a simulator. One JSON object a line in and out; the first line in is the configuration.

The only thing changed in instagrapi is where it connects to: the API's domain, and the transport's host and port.
"""

import json
import ssl
import sys

import instagrapi
from instagrapi import config
from instagrapi.realtime.mqttot import SocketMQTToTTransport


def say(**fields):
    print(json.dumps(fields), flush=True)


setup = json.loads(sys.stdin.readline())
config.API_DOMAIN = setup["api"]

client = instagrapi.Client(private_transport="requests", tls_verify=setup["ca_file"], request_timeout=0)
client.domain = setup["api"]
client.login_by_sessionid(setup["sessionid"])
say(step="login", username=client.username, user_id=str(client.user_id))

account = client.account_info()
say(step="account", username=account.username, full_name=account.full_name)

threads = client.direct_threads(amount=20)
say(
    step="inbox",
    threads=[
        {
            "id": thread.id,
            "users": [user.username for user in thread.users],
            "texts": [message.text for message in thread.messages],
        }
        for thread in threads
    ],
)
history = client.direct_messages(int(setup["thread"]), amount=setup["history"])
say(step="history", texts=[message.text for message in history])

host, port = setup["realtime"].rsplit(":", 1)
transport = SocketMQTToTTransport(
    host, int(port), timeout=20, tls_context=ssl.create_default_context(cafile=setup["ca_file"])
)
realtime = client.realtime_connect(transport=transport)
answers, messages, subscribed = [], [], []
realtime.on("send_response", answers.append)
realtime.on("message", lambda event: messages.append(event["message"]))
realtime.on("iris_sub_response", subscribed.append)
realtime.direct_subscribe()
while not subscribed:
    realtime.read_once()
say(step="subscribed", answer=subscribed[0], alive=realtime.ping())

contexts = [
    realtime.direct_send_text(setup["thread"], text)["client_context"] for text in setup["send"]
]
while len(answers) < len(contexts):
    realtime.read_once()
say(
    step="sent",
    answers=[[answer["status"], answer["payload"]["client_context"]] for answer in answers],
    contexts=contexts,
)

wanted = json.loads(sys.stdin.readline())["expect"]


def received():
    return [message["text"] for message in messages if str(message.get("user_id")) == setup["other"]]


while len(received()) < wanted:
    realtime.read_once()
say(step="received", texts=received())

sent = client.direct_answer(int(setup["thread"]), "over HTTP")
say(step="answered", id=sent.id)
client.realtime_disconnect()
client.logout()
say(step="end")
