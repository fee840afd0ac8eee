<?php
// Builds a message with PHPMailer, sends it, and prints what was sent.
require "/usr/share/php/libphp-phpmailer/autoload.php";

use PHPMailer\PHPMailer\PHPMailer;

[, $security, $port, $key, $from, $to, $authority] = $argv;
$mail = new PHPMailer(true);
$mail->isSMTP();
$mail->Host = "localhost";
$mail->Port = (int) $port;
$mail->SMTPSecure = $security === "StartTLS" ? PHPMailer::ENCRYPTION_STARTTLS : PHPMailer::ENCRYPTION_SMTPS;
$mail->SMTPOptions = ["ssl" => ["cafile" => $authority]];
$mail->SMTPAuth = true;
$mail->Username = "any";
$mail->Password = $key;
$mail->CharSet = PHPMailer::CHARSET_UTF8;
$mail->setFrom($from, "Plätform");
$mail->addAddress($to);
$mail->addBCC("hidden@example.org");
$mail->Subject = "Grüße";
$mail->Body = "Grüße\n.\n.dot\n" . str_repeat("lang und länger ", 100) . "\n";
$mail->send();
echo $mail->getSentMIMEMessage();
