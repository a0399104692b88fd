<?php

// The tour with openapi-generator's PHP client: book, list, reschedule, cancel, hand in, export.

use OpenAPI\Client\Api\IntakesApi;
use OpenAPI\Client\Api\PropertiesApi;
use OpenAPI\Client\Api\VisitsApi;
use OpenAPI\Client\ApiException;
use OpenAPI\Client\Configuration;
use OpenAPI\Client\Model;

require 'GuzzleHttp/autoload.php';
spl_autoload_register(function (string $class): void {
    $file = getcwd() . '/client/lib/' . str_replace('\\', '/', substr($class, strlen('OpenAPI\\Client\\'))) . '.php';
    if (str_starts_with($class, 'OpenAPI\\Client\\') && is_file($file)) {
        require $file;
    }
});

// A warning is how a pattern that PHP cannot read shows.
set_error_handler(function (int $level, string $message, string $file, int $line): bool {
    if ($level === E_DEPRECATED || $level === E_USER_DEPRECATED) {
        return true;
    }
    throw new ErrorException($message, 0, $level, $file, $line);
});

function must(bool $holds, mixed $what): void
{
    if (!$holds) {
        throw new Exception(print_r($what, true));
    }
}

$configuration = (new Configuration())->setHost(getenv('VISITS_URL'))->setAccessToken(getenv('VISITS_KEY'));
$visits = new VisitsApi(config: $configuration);
$intakes = new IntakesApi(config: $configuration);
$start = (new DateTime('+10 days', new DateTimeZone('Europe/Berlin')))->setTime(9, 0, 0, 123456);

$house = (new PropertiesApi(config: $configuration))->registerProperty(
    new Model\RegisterPropertyInput(['name' => 'House', 'address' => 'Seestraße 1', 'time_zone' => 'Europe/Berlin'])
)->getId();

function booking(int $number, string $class = Model\BookVisitInput::class): mixed
{
    global $house, $start;
    $visitor = (new Model\VisitorInput())->setName('Ada Lovelace')->setEmail('ada@example.com')->setPhone('+49 30 901820');
    return (new $class())->setPropertyId($house)->setDate((clone $start)->modify("+$number hours"))
        ->setPlace('At the door')->setVisitor($visitor)->setNotes("Brings\na friend");
}

// The names of headers come in any case.
function etag(array $headers): string
{
    return array_change_key_case($headers)['etag'][0];
}

[$visit, , $headers] = $visits->bookVisitWithHttpInfo(booking(0), 'php');
must($visit->getDate()->getTimestamp() === $start->getTimestamp(), $visit);
for ($number = 1; $number < 5; $number++) {
    $visits->bookVisit(booking($number));
}
try {
    $visits->bookVisit(booking(0));
    must(false, 'sold twice');
} catch (ApiException $refused) {
    must($refused->getCode() === 409, $refused);
}

$found = 0;
$cursor = null;
do {
    $page = $visits->listVisits(property_id: $house, limit: 2, cursor: $cursor);
    $found += count($page->getItems());
    $cursor = $page->getNextCursor();
} while ($cursor !== null);
must($found === 5, $found);

$later = (clone $start)->modify('+1 day');
[$moved, , $headers] = $visits->changeVisitWithHttpInfo(
    $visit->getId(),
    etag($headers),
    (new Model\ChangeVisitInput())->setDate($later)
);
must($moved->getDate()->getTimestamp() === $later->getTimestamp(), $moved);
$cancelled = $visits->changeStatus(
    $visit->getId(),
    (new Model\StatusInput())->setStatus('cancelled')->setReason('Rain'),
    etag($headers)
);
must($cancelled->getCancellation()->getReason() === 'Rain', $cancelled);

$row = booking(48, Model\IntakeInputVisitsInner::class)->setExternalId("row-$house");
$intake = $intakes->handIn((new Model\IntakeInput())->setVisits([$row]))->getId();
for ($tries = 0; $tries < 300 && $intakes->getIntake($intake)->getStatus() !== 'done'; $tries++) {
    usleep(100000);
}
must($intakes->listResults($intake)->getItems()[0]->getStatus() === 'created', $intake);

foreach (['csv' => 'id,', 'xlsx' => 'PK', 'ics' => 'BEGIN:VCALENDAR'] as $format => $beginning) {
    $file = $visits->exportVisits($format, property_id: $house);
    must(str_starts_with(file_get_contents($file->getPathname()), $beginning), $format);
}
echo "done\n";
